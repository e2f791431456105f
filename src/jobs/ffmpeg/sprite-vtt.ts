import type { PictureSize } from './picture.ts'

/** Tiles in a row, and in a whole sheet. */
const COLUMNS = 10
const MAX_TILES = 100
/** Between two tiles of a short recording, seconds. */
const MIN_INTERVAL_SECONDS = 2

/** How a sheet is divided. Tiles go from left to right, then down. */
export interface SpriteGrid {
  readonly tile: PictureSize
  readonly count: number
  readonly columns: number
  readonly rows: number
  /** Tile n shows what is seen after n times this. */
  readonly intervalSeconds: number
}

/** A tile every two seconds, or a hundred of them. */
export function spriteGrid(durationSeconds: number, tile: PictureSize): SpriteGrid {
  const intervalSeconds = Math.max(MIN_INTERVAL_SECONDS, durationSeconds / MAX_TILES)
  const count = Math.min(MAX_TILES, Math.max(1, Math.ceil(durationSeconds / intervalSeconds - 0.001)))
  return { tile, count, intervalSeconds, columns: Math.min(COLUMNS, count), rows: Math.ceil(count / COLUMNS) }
}

/** WebVTT that maps times to tiles of `sheet` by media fragments (W3C Media Fragments 1.0 §4.2.2). */
export function writeSpriteVtt(sheet: string, grid: SpriteGrid, durationSeconds: number): string {
  const cues = Array.from({ length: grid.count }, (_, index) => {
    const begin = index * grid.intervalSeconds
    const end = index === grid.count - 1 ? Math.max(durationSeconds, begin + 0.001) : begin + grid.intervalSeconds
    const x = (index % grid.columns) * grid.tile.width
    const y = Math.floor(index / grid.columns) * grid.tile.height
    return `${time(begin)} --> ${time(end)}\n${sheet}#xywh=${x},${y},${grid.tile.width},${grid.tile.height}\n`
  })
  return `WEBVTT\n\n${cues.join('\n')}`
}

/** `01:02:03.004`, W3C WebVTT §4.1. */
function time(seconds: number): string {
  const ms = Math.round(seconds * 1000)
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}.${String(ms % 1000).padStart(3, '0')}`
}
