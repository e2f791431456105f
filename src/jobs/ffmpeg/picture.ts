import { LimitError } from '../../media/errors.ts'

/** Width and height in stored pixels. */
export interface PictureSize {
  readonly width: number
  readonly height: number
}

/** A picture as it is stored, and how it is to be seen. */
export interface Picture extends PictureSize {
  /** Width of a pixel over its height. */
  readonly pixelAspect: number
  /** It is shown turned by a quarter. */
  readonly isTurned: boolean
}

const MAX_SIDE = 16_384

/** `1280x720` → its two numbers. @throws LimitError */
export function parseBox(text: string): PictureSize {
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(text)
  const [width, height] = [Number(match?.[1]), Number(match?.[2])]
  if (width >= 2 && height >= 2 && width <= MAX_SIDE && height <= MAX_SIDE) return { width, height }
  throw new LimitError(`resolution ${JSON.stringify(text)}: a width and a height such as 1280x720`, { limit: MAX_SIDE })
}

/** The picture upright: what is shown turned has its sides and pixels turned. */
export function upright(picture: Picture): Picture {
  if (!picture.isTurned) return picture
  return { width: picture.height, height: picture.width, pixelAspect: 1 / picture.pixelAspect, isTurned: false }
}

/**
 * The size, in even numbers, at which `picture` fits into `box`; a tall picture into the box set upright. Never larger than it
 * is, and of the same shape: pixels that are not square stay so, both sides shrink alike.
 */
export function fitBox(picture: Picture, box: PictureSize | undefined): PictureSize {
  const { width, height, pixelAspect } = upright(picture)
  const shownWidth = width * pixelAspect
  const [long, short] =
    box === undefined ? [shownWidth, height] : [Math.max(box.width, box.height), Math.min(box.width, box.height)]
  const [boxWidth, boxHeight] =
    box === undefined ? [shownWidth, height] : shownWidth >= height ? [long, short] : [short, long]
  const scale = Math.min(1, boxWidth / shownWidth, boxHeight / height)
  return { width: even(width * scale, width), height: even(height * scale, height) }
}

/** The nearest even number, not above `most`. */
function even(side: number, most: number): number {
  return Math.max(2, Math.min(Math.round(side / 2) * 2, Math.floor(most / 2) * 2))
}
