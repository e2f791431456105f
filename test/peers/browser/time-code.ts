// Pictures that carry the time at which they were made. Used by pages and by Node alike: no imports.

/** Of the grid that a picture is divided into. */
export const COLUMNS = 16
/** The upper three rows are the code, the rest flashes. */
export const ROWS = 9
/** Flashes begin where the clock is at a multiple of the period, and last so long, ms. */
export const FLASH_MS = 100
/** So do beeps. */
export const BEEP_MS = 80
/** Of beeps. */
export const TONE_HZ = 1000
/** Times are told modulo this, ms: four and a half hours. */
export const CODE_RANGE_MS = 2 ** 24

const WHITE = 235
const BLACK = 16
const CODE_ROWS = 3

/** 24 bits of time, and 24 that depend on all of them: a picture that was put together wrongly shows no code at all. */
export function codeBits(atMs: number): string {
  const time = atMs % CODE_RANGE_MS
  const check = (Math.imul(time, 0x9e3779b1) >>> 0) >>> 8
  return time.toString(2).padStart(24, '0') + check.toString(2).padStart(24, '0')
}

/** Draws code and flash for the moment `atMs` into the luma plane; false where what is below the code is to be drawn yet. */
export function drawTime(luma: Uint8Array, width: number, height: number, atMs: number, periodMs: number): boolean {
  const bits = codeBits(atMs)
  for (let row = 0; row < CODE_ROWS; row++) {
    const top = Math.floor((row * height) / ROWS)
    const bottom = Math.floor(((row + 1) * height) / ROWS)
    for (let column = 0; column < COLUMNS; column++) {
      const left = Math.floor((column * width) / COLUMNS)
      const right = Math.floor(((column + 1) * width) / COLUMNS)
      luma.fill(bits[row * COLUMNS + column] === '1' ? WHITE : BLACK, top * width + left, top * width + right)
    }
    for (let y = top + 1; y < bottom; y++) luma.copyWithin(y * width, top * width, (top + 1) * width)
  }
  const isFlash = atMs % periodMs < FLASH_MS
  if (isFlash) luma.fill(WHITE, belowCode(height) * width, width * height)
  return isFlash
}

/** The first line below the code. */
export function belowCode(height: number): number {
  return Math.floor((height * CODE_ROWS) / ROWS)
}
