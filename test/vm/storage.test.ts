/** Unprivileged root file systems on a kernel of Proxmox VE's age, whose overlays take no idmapped mount. */
import "../../src/storage/overlay/overlay.test.ts";
import "../../src/storage/overlay/shifted-layers.test.ts";
