/** `tfhd` flags, ISO 14496-12 §8.8.7.1 */
export const TFHD_BASE_OFFSET = 0x000001
/** sample-description-index-present, §8.8.7.1 */
export const TFHD_DESCRIPTION = 0x000002
/** default-sample-duration-present, §8.8.7.1 */
export const TFHD_DEFAULT_DURATION = 0x000008
/** default-sample-size-present, §8.8.7.1 */
export const TFHD_DEFAULT_SIZE = 0x000010
/** default-sample-flags-present, §8.8.7.1 */
export const TFHD_DEFAULT_FLAGS = 0x000020
/** Data offsets count from the first byte of the `moof`, §8.8.7.1 */
export const DEFAULT_BASE_IS_MOOF = 0x020000

/** `trun` flags, §8.8.8.1 */
export const TRUN_DATA_OFFSET = 0x000001
/** first-sample-flags-present, §8.8.8.1 */
export const TRUN_FIRST_FLAGS = 0x000004
/** sample-duration-present, §8.8.8.1 */
export const TRUN_DURATIONS = 0x000100
/** sample-size-present, §8.8.8.1 */
export const TRUN_SIZES = 0x000200
/** sample-flags-present, §8.8.8.1 */
export const TRUN_FLAGS = 0x000400
/** sample-composition-time-offsets-present, §8.8.8.1 */
export const TRUN_OFFSETS = 0x000800

/** sample_flags, §8.8.3.1: depends on no other sample. */
export const SAMPLE_IS_SYNC = 0x02000000
/** Depends on others, and is no sync sample. */
export const SAMPLE_IS_DEPENDENT = 0x01010000
/** sample_is_non_sync_sample */
export const SAMPLE_NON_SYNC_BIT = 0x00010000
