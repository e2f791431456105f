import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browserTurn, TURN_TIMEOUT_MS } from '../peers/browser-turn.ts'
import { decodingFaults, pictureHashes, samplesOf } from '../peers/decoding.ts'
import { probe } from '../peers/ffmpeg.ts'
import { recorded } from '../peers/recorded.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { type Impairments, UdpProxies } from '../peers/udp-proxy.ts'
import { WhipServer } from '../peers/whip-rig.ts'

const exec = promisify(execFile)
const SCRIPT = join(import.meta.dirname, '../peers/gstreamer-publisher.py')
const PUBLISHED_S = 6
/**
 * Packets of sound that may have gone before there was a connection to send them over, or are lost before the first that comes:
 * nothing says that there were any.
 */
const MAX_UNHEARD = 75
const lossy = (loss: number): Impairments => ({ up: { loss, delayMs: 10 }, down: { loss, delayMs: 10 } })
/** Between keyframes that nobody asked for: KEY_INTERVAL of the publisher. */
const KEY_INTERVAL = 60

const place = scratch('whip-gstreamer')
let server: WhipServer
let proxies: UdpProxies
let handOn: (() => Promise<void>) | undefined
beforeAll(async () => {
  handOn = await browserTurn()
  ;[proxies, server] = await Promise.all([
    UdpProxies.start(),
    WhipServer.start(place.path, 'http://127.0.0.1', '--reconnect-window', '0s'),
  ])
}, TURN_TIMEOUT_MS)
afterAll(async () => {
  await proxies?.close()
  await TapedeckProcess.endAll()
  place.drop()
  await handOn?.()
})

type Codecs = { readonly video: 'H264' | 'H265'; readonly audio: 'L16' | 'PCMA' | 'PCMU'; readonly rtx: boolean }

/** What GStreamer made, and what the file has of it. */
async function published(name: string, { video, audio, rtx }: Codecs, network: Impairments | undefined) {
  const kept = join(place.path, name)
  const proxy = network === undefined ? undefined : await proxies.open(server.udpPort, 11, network)
  const args = [video, audio, String(PUBLISHED_S), rtx ? '1' : '0', String(proxy?.port ?? 0), kept]
  const { stdout } = await exec('/usr/bin/python3', [SCRIPT, server.whip(name), ...args])
  const sent: { state: string; video: number; audio: number } = JSON.parse(stdout)
  const [{ report, files }] = await recorded(server.tapedeck, name)
  expect(sent.state).toBe('connected')
  expect(files).toHaveLength(1)
  const faults = (await decodingFaults(files[0])).split('\n')
  expect(faults.filter((line) => line !== '' && !line.startsWith('Guessed Channel Layout'))).toEqual([])
  const tracks = report.source?.tracks ?? []
  const format = ({ L16: 's16be', PCMA: 'alaw', PCMU: 'mulaw' } as const)[audio]
  return {
    sent,
    streams: (await probe(files[0])).streams.map(({ codec_name }) => codec_name).toSorted(),
    picture: tracks.find(({ kind }) => kind === 'video'),
    sound: tracks.find(({ kind }) => kind === 'audio'),
    made: await pictureHashes(`${kept}.video`, ['-f', video === 'H264' ? 'h264' : 'hevc']),
    kept: await pictureHashes(files[0]),
    madeSamples: readFileSync(`${kept}.audio`),
    keptSamples: await samplesOf(files[0], format),
  }
}

describe.concurrent('GStreamer publishes', () => {
  it.each([
    {
      name: 'hevc-l16',
      codecs: { video: 'H265', audio: 'L16', rtx: false },
      network: undefined,
      streams: ['hevc', 'pcm_s16le'],
    },
    {
      name: 'h264-pcma',
      codecs: { video: 'H264', audio: 'PCMA', rtx: true },
      network: lossy(0.03),
      streams: ['h264', 'pcm_alaw'],
    },
  ] as const)('$name: every picture and every sample is in the file', async ({ name, codecs, network, streams }) => {
    const { sent, made, kept, madeSamples, keptSamples, ...found } = await published(name, codecs, network)
    console.log(`${name}: ${JSON.stringify(sent)}, ${kept.length} pictures kept, ${JSON.stringify(found)}`)
    expect(found.streams).toEqual(streams)
    expect(made).toHaveLength(sent.video)
    expect(new Set(made).size).toBe(made.length) // each is another: none can stand for one that is missing
    // where the first keyframe goes before there is a connection, or with all that would tell of it, the next one begins the file
    expect(kept.length).toBeGreaterThanOrEqual(made.length - KEY_INTERVAL)
    expect(kept).toEqual(made.slice(-kept.length))
    // of the last samples, which fill no packet, GStreamer sends none
    const from = madeSamples.indexOf(keptSamples)
    expect(from).toBeGreaterThanOrEqual(0)
    const packetBytes = madeSamples.length / (found.sound?.packets ?? 1)
    expect(madeSamples.length - keptSamples.length).toBeLessThan(MAX_UNHEARD * packetBytes)
    expect([found.picture?.packetsLost, found.sound?.packetsLost]).toEqual([0, 0])
    if (network === undefined) return
    expect((found.picture?.rtx ?? 0) + (found.sound?.rtx ?? 0)).toBeGreaterThan(0)
  })

  it('hevc-pcmu, and sends nothing again: the file has only pictures that were made, and keyframes come when asked for', async () => {
    const codecs = { video: 'H265', audio: 'PCMU', rtx: false } as const
    const { sent, made, kept, picture, ...found } = await published('hevc-pcmu', codecs, lossy(0.02))
    console.log(`hevc-pcmu: ${JSON.stringify(sent)}, ${kept.length} pictures kept, ${JSON.stringify(picture)}`)
    expect(found.streams).toEqual(['hevc', 'pcm_mulaw'])
    const all = new Set(made)
    expect(kept.filter((hash) => !all.has(hash))).toEqual([])
    expect(picture?.packetsLost).toBeGreaterThan(0)
    expect(picture?.plis).toBeGreaterThan(0)
    expect(picture?.keyframes).toBeGreaterThan(made.length / KEY_INTERVAL + 1)
    expect(kept.length).toBeGreaterThan(made.length / 3)
  })
})
