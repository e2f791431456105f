import { copyFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { storageError } from '../../storage/errors.ts'
import { FfmpegFailedError } from './errors.ts'
import { type Footage, from, pictureSize, scaling, takePictures } from './footage.ts'
import { type SpriteGrid, spriteGrid, writeSpriteVtt } from './sprite-vtt.ts'

/** The sheet of small pictures. */
export const SPRITE_NAME = 'sprite.jpg'
/** Which of them belongs to which time. */
export const VTT_NAME = 'sprite.vtt'
/** Pixels. */
const TILE_WIDTH = 160
/** Up to here everything is decoded, in one run; of longer files only the keyframe before each time, seconds. */
const MAX_DECODED_SECONDS = 200

/** Tiles that one run of ffmpeg makes: each has a decoder of its own. */
const BATCH = 5

/** Makes the sheet and its WebVTT in `directory`. `advance` is told of each further share of the work. */
export async function makeSprite(footage: Footage, directory: string, advance: (share: number) => void): Promise<void> {
  const grid = spriteGrid(footage.durationSeconds, pictureSize(footage.stream, TILE_WIDTH))
  const sheet = join(directory, SPRITE_NAME)
  const isMade =
    footage.durationSeconds <= MAX_DECODED_SECONDS
      ? await decodeSheet(footage, sheet, grid)
      : await seekTiles(footage, sheet, grid, advance)
  if (!isMade) throw new FfmpegFailedError('made no sprite sheet', footage.input)
  const path = join(directory, VTT_NAME)
  await writeFile(path, writeSpriteVtt(SPRITE_NAME, grid, footage.durationSeconds), { mode: 0o600 }).catch((error) => {
    throw storageError(path, 'write', error)
  })
}

/** What is shown at each time; where there is nothing yet, or no more, the picture next to it. */
async function decodeSheet(footage: Footage, sheet: string, grid: SpriteGrid): Promise<boolean> {
  const filter = [
    `fps=fps=1/${grid.intervalSeconds}:round=up:start_time=0`,
    `tpad=stop_mode=clone:stop=${grid.count}`,
    `trim=end_frame=${grid.count}`,
    scaling(grid.tile),
    tiling(grid),
  ].join(',')
  const shot = { path: sheet, input: 0, stream: footage.stream.index, filter, only: 'first' } as const
  return (await takePictures(footage, from(footage, 0), [shot]))[0] === true
}

async function seekTiles(
  footage: Footage,
  sheet: string,
  grid: SpriteGrid,
  advance: (share: number) => void,
): Promise<boolean> {
  const directory = dirname(sheet)
  const tile = (index: number) => join(directory, `tile_${String(index).padStart(3, '0')}.jpg`)
  for (let first = 0; first < grid.count; first += BATCH) {
    const indexes = Array.from({ length: Math.min(BATCH, grid.count - first) }, (_, offset) => first + offset)
    const areTaken = await takeTiles(footage, indexes, grid, tile)
    for (const index of indexes) {
      if (areTaken[index - first]) continue
      if (index === 0) return false
      await copyFile(tile(index - 1), tile(index))
    }
    advance(indexes.length / grid.count)
  }
  const pattern = join(directory.replaceAll('%', '%%'), 'tile_%03d.jpg')
  const input = ['-f', 'image2', '-framerate', '1', '-i', `file:${pattern}`]
  const shot = { path: sheet, input: 0, stream: 'v', filter: tiling(grid), only: 'first' } as const
  return (await takePictures(footage, input, [shot]))[0] === true
}

function takeTiles(
  footage: Footage,
  indexes: readonly number[],
  grid: SpriteGrid,
  tile: (index: number) => string,
): Promise<boolean[]> {
  const options = ['-noaccurate_seek', '-skip_frame', 'nokey', '-threads', '1']
  const inputs = indexes.flatMap((index) => from(footage, index * grid.intervalSeconds, options))
  const shots = indexes.map((index, input) => ({
    ...{ path: tile(index), input, stream: footage.stream.index, filter: scaling(grid.tile) },
    only: 'first' as const,
  }))
  return takePictures(footage, inputs, shots)
}

function tiling({ columns, rows }: SpriteGrid): string {
  return `tile=${columns}x${rows}`
}
