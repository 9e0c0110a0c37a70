/** `resources.blockIO`. config-linux.md, Block IO. */
import type { BlockIo, ThrottleDevice, WeightDevice } from "../config.ts";
import { uint16, uint32, uint64 } from "../scalars.ts";
import { array, object } from "../shape.ts";

const weightDevices = array(
  object<WeightDevice>({
    required: { major: uint32, minor: uint32 },
    optional: { weight: uint16, leafWeight: uint16 },
    check({ weight, leafWeight }, path, findings) {
      if (weight === undefined && leafWeight === undefined) {
        findings.fault(path, "needs weight or leafWeight");
      }
    },
  }),
);

const throttleDevices = array(
  object<ThrottleDevice>({ required: { major: uint32, minor: uint32, rate: uint64 }, optional: {} }),
);

export const blockIo = object<BlockIo>({
  required: {},
  optional: {
    weight: uint16,
    leafWeight: uint16,
    weightDevice: weightDevices,
    throttleReadBpsDevice: throttleDevices,
    throttleWriteBpsDevice: throttleDevices,
    throttleReadIOPSDevice: throttleDevices,
    throttleWriteIOPSDevice: throttleDevices,
  },
  renamed: {
    blkioWeight: "weight",
    blkioLeafWeight: "leafWeight",
    blkioWeightDevice: "weightDevice",
    blkioThrottleReadBpsDevice: "throttleReadBpsDevice",
    blkioThrottleWriteBpsDevice: "throttleWriteBpsDevice",
    blkioThrottleReadIOPSDevice: "throttleReadIOPSDevice",
    blkioThrottleWriteIOPSDevice: "throttleWriteIOPSDevice",
  },
});
