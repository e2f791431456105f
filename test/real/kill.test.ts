import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { complaints, madeMedia, packetsOf } from '../peers/ffmpeg.ts'
import { PacedPublisher } from '../peers/paced-publisher.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'

/** Kills per format; every one at another moment, some in the middle of rotation, some while files are being finished. */
const KILLS = Number(process.env.TAPEDECK_TEST_KILLS ?? 100)
/** What a crash may cost, seconds of media. */
const LOSS_SECONDS = 1
const PUBLISHERS = 4
const place = scratch('kill')
afterAll(() => place.drop())

const media = () =>
  madeMedia(
    'kill-10s.flv',
    '-f lavfi -i testsrc2=size=640x360:rate=30 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 10 -c:v libx264 -preset veryfast -b:v 1500k -bf 2 -g 30 -pix_fmt yuv420p -c:a aac -ac 2 -f flv',
  )

/** The same figures in every run: a kill that breaks something can be repeated. */
function moments(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

describe.concurrent.each(['mp4', 'flv', 'mkv'])('kill -9 while recording %s', (format) => {
  it(`${KILLS} times: what was received stays, and the next start finishes it`, { timeout: 900_000 }, async () => {
    const path = await media()
    const server = await TapedeckProcess.start(
      join(place.path, format),
      ...[
        '--record-format',
        format,
        '--record-max-duration',
        '900ms',
        '--record-filename',
        '{participant}_{timestamp}',
      ],
    )
    const next = moments(format.charCodeAt(1))
    for (let kill = 0; kill < KILLS; kill++) await killOnce(server, path, kill, next())
    await server.end()
  })
})

async function killOnce(server: TapedeckProcess, path: string, kill: number, moment: number): Promise<void> {
  const before = new Set(server.files())
  const names = Array.from({ length: PUBLISHERS }, (_, i) => `k${kill}-${i}`)
  const publishers = await Promise.all(names.map((name) => PacedPublisher.start(server.rtmpPort, 'live', name, path)))
  await new Promise((resolve) => setTimeout(resolve, 300 + moment * 1500))
  // every third kill falls into the closing of the files
  if (kill % 3 === 2) {
    for (const publisher of publishers) void publisher.finish().catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, moment * 60))
  }
  await server.end('SIGKILL')
  const sentMs = publishers.map(({ lastVideoMs }) => lastVideoMs)
  for (const publisher of publishers) publisher.stop()
  const watched = kill % PUBLISHERS
  const mine = () => server.files().filter((name) => !before.has(name) && name.startsWith(`${names[watched]}_`))
  const asLeft = await lastVideoSeconds(server, mine())
  expect(asLeft, `kill ${kill}: as left`).toBeGreaterThanOrEqual(sentMs[watched] / 1000 - LOSS_SECONDS)
  await server.start()
  await expect.poll(() => server.metric('tapedeck_recovery_pending'), { timeout: 30_000 }).toBe(0)
  const recovered = await lastVideoSeconds(server, mine())
  expect(recovered, `kill ${kill}: after recovery`).toBeGreaterThanOrEqual(asLeft)
  for (const name of mine()) expect(await complaints(join(server.recordings, name)), `kill ${kill}: ${name}`).toBe('')
}

/** Where the media of consecutive parts ends, in seconds from the start of the first. */
async function lastVideoSeconds(server: TapedeckProcess, parts: readonly string[]): Promise<number> {
  let end = 0
  for (const part of parts) {
    const video = (await packetsOf(join(server.recordings, part)).catch(() => [])).filter(
      ({ type }) => type === 'video',
    )
    if (video.length === 0) continue
    const times = video.map(({ pts }) => pts)
    end += Math.max(...times) - Math.min(...times) + 1 / 30
  }
  return end
}
