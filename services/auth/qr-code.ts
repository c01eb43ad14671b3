import qrcode from "qrcode-generator";

/** Pixels of one module. */
const CELL = 4;
/** Modules of white around it; ISO/IEC 18004 wants them for a camera to find it. */
const QUIET = 4;

/** An image of the text that a camera reads, as a `data:` URI. */
export function qrCode(text: string): string {
  const code = qrcode(0, "M");
  code.addData(text);
  code.make();
  return code.createDataURL(CELL, QUIET * CELL);
}
