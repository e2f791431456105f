import type { BitReader } from '../../media/bits.ts'

/** The general part of profile_tier_level(), HEVC §7.3.3: what a decoder must be able to do. */
export type ProfileTierLevel = {
  readonly profileSpace: number
  /** 0 Main, 1 High. */
  readonly tier: number
  readonly profileIdc: number
  /** general_profile_compatibility_flag[0] in the highest of 32 bits. */
  readonly compatibilityFlags: number
  /** general_progressive_source_flag to general_inbld_flag: 48 bits. */
  readonly constraintFlags: number
  /** 30 · level. */
  readonly levelIdc: number
}

/** Reads the general part: 96 bits, the same in the parameter sets and in hvcC. @throws MalformedError */
export function parseGeneralProfile(bits: BitReader): ProfileTierLevel {
  return {
    profileSpace: bits.bits(2),
    tier: bits.bits(1),
    profileIdc: bits.bits(5),
    compatibilityFlags: bits.bits(32),
    constraintFlags: bits.bits(48),
    levelIdc: bits.bits(8),
  }
}

/** Reads profile_tier_level(1, maxSubLayersMinus1), passing over the sub-layers. @throws MalformedError */
export function parseProfileTierLevel(bits: BitReader, maxSubLayersMinus1: number): ProfileTierLevel {
  const general = parseGeneralProfile(bits)
  const present: { profile: boolean; level: boolean }[] = []
  for (let i = 0; i < maxSubLayersMinus1; i++) present.push({ profile: bits.flag(), level: bits.flag() })
  if (maxSubLayersMinus1 > 0) bits.skip(2 * (8 - maxSubLayersMinus1)) // reserved_zero_2bits
  for (const { profile, level } of present) bits.skip((profile ? 88 : 0) + (level ? 8 : 0))
  return general
}
