import { copyFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { storageError } from '../../storage/errors.ts'
import { FfmpegFailedError } from './errors.ts'
import { type Footage, from, pictureSize, scaling, takePicture } from './footage.ts'
import { type SpriteGrid, spriteGrid, writeSpriteVtt } from './sprite-vtt.ts'

/** The sheet of small pictures. */
export const SPRITE_NAME = 'sprite.jpg'
/** Which of them belongs to which time. */
export const VTT_NAME = 'sprite.vtt'
/** Pixels. */
const TILE_WIDTH = 160
/** Up to here everything is decoded, in one run; of longer files only the keyframe before each time, seconds. */
const MAX_DECODED_SECONDS = 200

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
function decodeSheet(footage: Footage, sheet: string, grid: SpriteGrid): Promise<boolean> {
  const filter = [
    `fps=fps=1/${grid.intervalSeconds}:round=up:start_time=0`,
    `tpad=stop_mode=clone:stop=${grid.count}`,
    `trim=end_frame=${grid.count}`,
    scaling(grid.tile),
    `tile=${grid.columns}x${grid.rows}`,
  ]
  return takePicture(footage, sheet, [...from(footage, 0), '-vf', filter.join(','), '-frames:v', '1'])
}

async function seekTiles(
  footage: Footage,
  sheet: string,
  grid: SpriteGrid,
  advance: (share: number) => void,
): Promise<boolean> {
  const directory = dirname(sheet)
  const tile = (index: number) => join(directory, `tile_${String(index).padStart(3, '0')}.jpg`)
  const rest = ['-vf', scaling(grid.tile), '-frames:v', '1']
  for (let index = 0; index < grid.count; index++) {
    const keyframe = from(footage, index * grid.intervalSeconds, ['-noaccurate_seek', '-skip_frame', 'nokey'])
    const isTaken = await takePicture(footage, tile(index), [...keyframe, ...rest])
    if (!isTaken && index === 0) return false
    if (!isTaken) await copyFile(tile(index - 1), tile(index))
    advance(1 / grid.count)
  }
  const pattern = join(directory.replaceAll('%', '%%'), 'tile_%03d.jpg')
  const input = ['-f', 'image2', '-framerate', '1', '-i', `file:${pattern}`]
  return takePicture(footage, sheet, [...input, '-vf', `tile=${grid.columns}x${grid.rows}`, '-frames:v', '1'])
}
