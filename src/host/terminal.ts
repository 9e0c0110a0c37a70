/** Terminals: raw mode and size; termios(3), ioctl_tty(2). */
import { call } from "./libc.ts";

const TCSANOW = 0;
const TIOCGWINSZ = 0x5413;
/** struct termios of glibc on Linux: four words of flags, a byte, then 32 control characters. */
const TERMIOS_SIZE = 64;
const CONTROL_CHARACTERS = 17;
const VTIME = 5;
const VMIN = 6;
/** What cfmakeraw(3) clears, word by word: input, output, control, local. */
const RAW_CLEAR = [0x5eb, 0x1, 0x130, 0x804b] as const;
const CS8 = 0x30;

/** Passes every key on as it is, unseen by the line discipline; returns what puts the terminal back. */
export function makeRaw(fd: number): () => void {
  const before = Buffer.alloc(TERMIOS_SIZE);
  call("tcgetattr", [fd, before]);
  const raw = Buffer.from(before);
  RAW_CLEAR.forEach((bits, word) => {
    raw.writeUInt32LE((raw.readUInt32LE(word * 4) & ~bits) >>> 0, word * 4);
  });
  raw.writeUInt32LE((raw.readUInt32LE(8) | CS8) >>> 0, 8);
  raw[CONTROL_CHARACTERS + VMIN] = 1;
  raw[CONTROL_CHARACTERS + VTIME] = 0;
  call("tcsetattr", [fd, TCSANOW, raw]);
  return () => {
    call("tcsetattr", [fd, TCSANOW, before]);
  };
}

/** In characters. @throws SystemError ENOTTY */
export function terminalSize(fd: number): { readonly rows: number; readonly columns: number } {
  const size = new Uint16Array(4);
  call("ioctl", [fd, TIOCGWINSZ, size]);
  return { rows: size[0] ?? 0, columns: size[1] ?? 0 };
}
