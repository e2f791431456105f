import { parseAvcC } from '../../src/codec/h264/avcc.ts'
import { vector } from '../codec/vectors.ts'
import { h264Payloads, nalUnits, vp8Payloads, vp9Payloads } from './packetizers.ts'

/** One picture of a made-up stream: what is sent of it, and which others it truly needs. */
export interface ModelPicture {
  readonly payloads: readonly Uint8Array[]
  readonly isKey: boolean
  /** Numbers of pictures. */
  readonly refersTo: readonly number[]
  /** When it is shown, in pictures. */
  readonly shownAt: number
}

/** Makes the pictures of a stream in decoding order; a keyframe every `keyInterval`. */
export type ModelStream = (count: number, keyInterval: number) => ModelPicture[]

const SIZE = 16 // bytes: several packets for each picture
const h264 = vector('h264-480p')
const sets = [...parseAvcC(h264.config).sps, ...parseAvcC(h264.config).pps]
const [h264Key, h264Delta] = h264.packets.map(({ data }) => nalUnits(data))
const [vp8Key, vp8Delta] = vector('vp8').packets.map(({ data }) => data)
const [vp9Key, vp9Delta] = vector('vp9').packets.map(({ data }) => data)

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

/** I P b P b …: nobody refers to a b picture (nal_ref_idc 0), which is shown before the P picture that it comes after. */
export const h264WithB: ModelStream = (count, keyInterval) =>
  numbers(count).map((i) => {
    const place = i % keyInterval
    if (place === 0)
      return { payloads: h264Payloads([...sets, ...h264Key], 300), isKey: true, refersTo: [], shownAt: i }
    const isB = place % 2 === 0
    const units = h264Delta.map((unit) =>
      Uint8Array.from(unit, (byte, at) => (at === 0 ? (byte & 0x9f) | (isB ? 0 : 0x40) : byte)),
    )
    const refersTo = isB ? [i - 1, Math.max(i - place, i - 3)] : [place === 1 ? i - 1 : i - 2]
    const isLast = place === keyInterval - 1
    return { payloads: h264Payloads(units, SIZE), isKey: false, refersTo, shownAt: isB ? i - 1 : isLast ? i : i + 1 }
  })

/** Three temporal layers by the rules of RFC 7741: TL0PICIDX, and the Y bit in every third group of four. */
export const vp8Layers: ModelStream = (count, keyInterval) => {
  let base = 0
  let lastBase = 0
  let lastMiddle = 0
  return numbers(count).map((i) => {
    const place = (i % keyInterval) % 4
    const isKey = i % keyInterval === 0
    const sync = Math.floor((i % keyInterval) / 4) % 3 === 0
    const layer = [0, 2, 1, 2][place]
    const refersTo = isKey
      ? []
      : place === 3
        ? [lastBase, lastMiddle]
        : place === 2 && !sync
          ? [lastBase, lastMiddle]
          : [lastBase]
    if (layer === 0) base++
    const picture = {
      id: i & 0x7fff,
      base: base & 0xff,
      layer,
      sync: place !== 3 && layer > 0 && sync,
      disposable: layer === 2,
    }
    if (layer === 0) lastBase = i
    if (place === 2 || isKey) lastMiddle = i
    return {
      payloads: vp8Payloads(isKey ? vp8Key : vp8Delta, picture, isKey ? 300 : SIZE),
      isKey,
      refersTo,
      shownAt: i,
    }
  })
}

/** VP9 in flexible mode, with any references to the eight pictures before. */
export const vp9Flexible: ModelStream = (count, keyInterval) =>
  numbers(count).map((i) => {
    const place = i % keyInterval
    const differences = [1 + ((i * 7) % 5), 1 + ((i * 3) % 8)].filter(
      (each, at, all) => each <= place && all.indexOf(each) === at,
    )
    const all = place > 0 && differences.length === 0 ? [1] : differences
    const isKey = place === 0
    const payloads = vp9Payloads(
      isKey ? vp9Key : vp9Delta,
      { id: i & 0x7fff, flexible: true, differences: isKey ? [] : all },
      SIZE,
    )
    return { payloads, isKey, refersTo: isKey ? [] : all.map((each) => i - each), shownAt: i }
  })

/** VP9 without flexible mode: two temporal layers, the upper one refers to itself but from each fourth base picture on (U bit). */
export const vp9Fixed: ModelStream = (count, keyInterval) =>
  numbers(count).map((i) => {
    const place = i % keyInterval
    const isKey = place === 0
    const temporal = place % 2
    const base = Math.floor(i / 2)
    const switching = temporal === 0 && place % 8 === 0
    const refersTo = isKey ? [] : temporal === 0 ? [i - 2] : place % 8 === 1 ? [i - 1] : [i - 1, i - 2]
    const picture = { id: i & 0x7fff, temporal, base: base & 0xff, switching }
    return { payloads: vp9Payloads(isKey ? vp9Key : vp9Delta, picture, SIZE), isKey, refersTo, shownAt: i }
  })
