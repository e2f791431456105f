import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { browserTurn, TURN_TIMEOUT_MS } from '../peers/browser-turn.ts'
import { decodingFaults } from '../peers/decoding.ts'
import { packetsOf, probe } from '../peers/ffmpeg.ts'
import { recorded } from '../peers/recorded.ts'
import { scratch, TapedeckProcess } from '../peers/tapedeck.ts'
import { UdpProxies } from '../peers/udp-proxy.ts'
import { WhipServer } from '../peers/whip-rig.ts'

const exec = promisify(execFile)
const SCRIPT = join(import.meta.dirname, '../peers/aiortc-publisher.py')
const PUBLISHED_S = 8
const place = scratch('whip-aiortc')
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

/** What aiortc says that it sent. */
async function published(name: string, args: readonly string[]) {
  const { stdout } = await exec('/usr/bin/python3', [SCRIPT, server.whip(name), ...args])
  const sent: { frames: number; state: string; video: number; audio: number } = JSON.parse(stdout)
  return sent
}

describe.concurrent('aiortc publishes over a network that loses and swaps packets', () => {
  it.each([
    { name: 'h264-opus', video: 'H264', audio: 'opus', rtx: true, codecs: ['h264', 'opus'] },
    { name: 'vp8-pcma', video: 'VP8', audio: 'PCMA', rtx: false, codecs: ['vp8', 'pcm_alaw'] },
    { name: 'h264-pcmu', video: 'H264', audio: 'PCMU', rtx: false, codecs: ['h264', 'pcm_mulaw'] },
  ])('$name, retransmissions on a stream of their own: $rtx', async ({ name, video, audio, rtx, codecs }) => {
    const network = { loss: 0.03, reorder: 0.02, delayMs: 20 }
    const proxy = await proxies.open(server.udpPort, 5, { up: network, down: network })
    const sent = await published(name, [video, audio, String(PUBLISHED_S), rtx ? '1' : '0', String(proxy.port)])
    const { up } = await proxy.counts()
    const [{ report, files }] = await recorded(server.tapedeck, name)
    const tracks = report.source?.tracks ?? []
    const [picture, sound] = [tracks.find(({ kind }) => kind === 'video'), tracks.find(({ kind }) => kind === 'audio')]
    console.log(`${name}: ${JSON.stringify(sent)}, on the way ${JSON.stringify(up.streams)}`)
    expect(sent.state).toBe('connected')
    expect(files).toHaveLength(1)
    const faults = (await decodingFaults(files[0])).split('\n')
    expect(faults.filter((line) => line !== '' && !line.startsWith('Guessed Channel Layout'))).toEqual([])
    const { streams } = await probe(files[0])
    expect(streams.map(({ codec_name }) => codec_name).toSorted()).toEqual(codecs.toSorted())
    const pictures = (await packetsOf(files[0])).filter(({ type }) => type === 'video')
    // but for those before the first keyframe, when that was lost
    expect(pictures.length).toBeGreaterThan(sent.frames - 60)
    expect(picture).toMatchObject({ packetsLost: 0, width: 320, height: 180 })
    expect((picture?.packetsRecovered ?? 0) + (sound?.packetsRecovered ?? 0)).toBeGreaterThan(0)
    if (!rtx) expect(picture?.rtx).toBe(0)
  })
})
