import { readFileSync } from 'node:fs'
import { made } from './media.ts'

/** Bytes of an RTP payload, so that packets are as long as browsers make them. */
const PAYLOAD_BYTES = 1188
const FRAME_RATE_FPS = 30
const SECONDS = 10

/**
 * Payloads of H.264 pictures at about so many packets per second (RFC 6184, packetization mode 1), by access unit; a keyframe every
 * `gopFrames`.
 */
export function h264Payloads(packetsPerSecond: number, gopFrames = FRAME_RATE_FPS * SECONDS): Uint8Array[][] {
  const kbps = Math.round((packetsPerSecond * PAYLOAD_BYTES * 8) / 1000)
  const rate = `-b:v ${kbps}k -minrate ${kbps}k -maxrate ${kbps}k -bufsize ${Math.round(kbps / 4)}k`
  const size = packetsPerSecond >= 500 ? '1280x720' : '640x360'
  const path = made(
    `rtp-${packetsPerSecond}-${gopFrames}.h264`,
    `-f lavfi -i testsrc2=size=${size}:rate=${FRAME_RATE_FPS} -t ${SECONDS} -vf noise=alls=30:allf=t -pix_fmt yuv420p
    -c:v libx264 -preset ultrafast -profile:v baseline -bf 0 -g ${gopFrames} ${rate} -nal-hrd cbr -bsf:v h264_metadata=aud=insert`,
    'h264',
  )
  return accessUnits(readFileSync(path)).map((units) => units.flatMap(payloadsOf))
}

/** NAL units between access unit delimiters (ITU-T H.264 §7.4.1.2.3), Annex B; without filler and delimiters. */
function accessUnits(stream: Buffer): Buffer[][] {
  const all: Buffer[][] = []
  let from = stream.indexOf('\0\0\x01', 0, 'latin1') + 3
  while (from > 2 && from < stream.length) {
    const next = stream.indexOf('\0\0\x01', from, 'latin1')
    let end = next < 0 ? stream.length : next
    while (stream[end - 1] === 0) end--
    const unit = stream.subarray(from, end)
    const type = unit[0] & 0x1f
    if (type === 9) all.push([])
    else if (type !== 12) all.at(-1)?.push(unit)
    from = next < 0 ? stream.length : next + 3
  }
  return all
}

/** A NAL unit as one packet or as FU-A (RFC 6184 §5.8). */
function payloadsOf(unit: Buffer): Uint8Array[] {
  if (unit.length <= PAYLOAD_BYTES) return [unit]
  const payloads: Uint8Array[] = []
  for (let at = 1; at < unit.length; at += PAYLOAD_BYTES - 2) {
    const part = unit.subarray(at, at + PAYLOAD_BYTES - 2)
    const start = at === 1 ? 0x80 : 0
    const end = at + part.length === unit.length ? 0x40 : 0
    payloads.push(Buffer.concat([Buffer.from([(unit[0] & 0xe0) | 28, start | end | (unit[0] & 0x1f)]), part]))
  }
  return payloads
}
