import type { BitReader } from '../../media/bits.ts'
import type { BitWriter } from '../bit-writer.ts'

/** One channel element of a program: a pair, or a single channel. */
type ChannelElement = { readonly pair: boolean; readonly tag: number }

/** program_config_element(), ISO 14496-3 §4.5.1.2: says which channels there are where channelConfiguration is 0. */
export type ProgramConfig = {
  readonly instanceTag: number
  /** 0 Main, 1 LC, 2 SSR, 3 LTP. */
  readonly profile: number
  readonly sampleRateIndex: number
  readonly front: readonly ChannelElement[]
  readonly side: readonly ChannelElement[]
  readonly back: readonly ChannelElement[]
  readonly lfe: readonly number[]
  readonly associatedData: readonly number[]
  /** `pair` stands for cc_element_is_ind_sw. */
  readonly coupling: readonly ChannelElement[]
  readonly monoMixdown?: number
  readonly stereoMixdown?: number
  /** matrix_mixdown_idx and pseudo_surround_enable, three bits. */
  readonly matrixMixdown?: number
  readonly comment: Uint8Array
}

/** Reads a program_config_element. @throws MalformedError */
export function parseProgramConfig(bits: BitReader): ProgramConfig {
  const instanceTag = bits.bits(4)
  const profile = bits.bits(2)
  const sampleRateIndex = bits.bits(4)
  const counts = { front: bits.bits(4), side: bits.bits(4), back: bits.bits(4), lfe: bits.bits(2) }
  const associatedCount = bits.bits(3)
  const couplingCount = bits.bits(4)
  const monoMixdown = bits.flag() ? bits.bits(4) : undefined
  const stereoMixdown = bits.flag() ? bits.bits(4) : undefined
  const matrixMixdown = bits.flag() ? bits.bits(3) : undefined
  const front = parseElements(bits, counts.front)
  const side = parseElements(bits, counts.side)
  const back = parseElements(bits, counts.back)
  const lfe = parseTags(bits, counts.lfe)
  const associatedData = parseTags(bits, associatedCount)
  const coupling = parseElements(bits, couplingCount)
  bits.align()
  const comment = Uint8Array.from(parseComment(bits))
  return {
    instanceTag,
    profile,
    sampleRateIndex,
    front,
    side,
    back,
    lfe,
    associatedData,
    coupling,
    ...(monoMixdown === undefined ? {} : { monoMixdown }),
    ...(stereoMixdown === undefined ? {} : { stereoMixdown }),
    ...(matrixMixdown === undefined ? {} : { matrixMixdown }),
    comment,
  }
}

function parseElements(bits: BitReader, count: number): ChannelElement[] {
  return Array.from({ length: count }, () => ({ pair: bits.flag(), tag: bits.bits(4) }))
}

function parseTags(bits: BitReader, count: number): number[] {
  return Array.from({ length: count }, () => bits.bits(4))
}

function parseComment(bits: BitReader): number[] {
  return Array.from({ length: bits.bits(8) }, () => bits.bits(8))
}

/** Writes a program_config_element; alignment is relative to what `bits` holds already. */
export function writeProgramConfig(bits: BitWriter, program: ProgramConfig): void {
  bits.put(program.instanceTag, 4).put(program.profile, 2).put(program.sampleRateIndex, 4)
  bits.put(program.front.length, 4).put(program.side.length, 4).put(program.back.length, 4)
  bits.put(program.lfe.length, 2).put(program.associatedData.length, 3).put(program.coupling.length, 4)
  putOptional(bits, program.monoMixdown, 4)
  putOptional(bits, program.stereoMixdown, 4)
  putOptional(bits, program.matrixMixdown, 3)
  putElements(bits, program.front)
  putElements(bits, program.side)
  putElements(bits, program.back)
  for (const tag of program.lfe) bits.put(tag, 4)
  for (const tag of program.associatedData) bits.put(tag, 4)
  putElements(bits, program.coupling)
  bits.align().put(program.comment.length, 8).bytes(program.comment)
}

function putOptional(bits: BitWriter, value: number | undefined, count: number): void {
  bits.flag(value !== undefined)
  if (value !== undefined) bits.put(value, count)
}

function putElements(bits: BitWriter, elements: readonly ChannelElement[]): void {
  for (const { pair, tag } of elements) bits.flag(pair).put(tag, 4)
}

/** How many channels a program has, low frequency effects included. */
export function programChannels(program: ProgramConfig): number {
  let channels = program.lfe.length
  for (const list of [program.front, program.side, program.back]) {
    for (const { pair } of list) channels += pair ? 2 : 1
  }
  return channels
}
