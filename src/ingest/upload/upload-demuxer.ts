import { sampleSpan } from '../../container/reader.ts'
import { MalformedError, UnsupportedError } from '../../media/errors.ts'
import type { DemuxStart, UploadSample } from './demux-start.ts'
import { fragmentedMp4Samples } from './fragmented-mp4.ts'
import type { GrowingBytes } from './growing-bytes.ts'
import { matroskaSamples } from './live-matroska.ts'

const EBML_ID = 0x1a45dfa3 // RFC 8794 §11.2.1
const SNIFFED_BYTES = 8
/** Largest frame, bytes: a keyframe of 8K at a rate nobody records at. */
const MAX_SAMPLE_BYTES = 16 * 1024 * 1024

/**
 * What `bytes` bring, as they come: WebM or Matroska with live Clusters, or fragmented MP4, as `MediaRecorder` makes them. Ends
 * where they do; a sample that was cut off there is left out.
 * @throws MalformedError when they are neither
 * @throws UnsupportedError for an MP4 that is not fragmented
 * @throws LimitError for elements and frames larger than any
 */
export async function* uploadSamples(bytes: GrowingBytes, start: DemuxStart): AsyncGenerator<UploadSample> {
  if (!(await bytes.reach(SNIFFED_BYTES))) {
    if (bytes.end === 0) return
    throw new MalformedError('upload', `ends after ${bytes.end} bytes: that is no WebM and no MP4`, 0)
  }
  const head = Buffer.from(await bytes.read(0, SNIFFED_BYTES))
  const isMatroska = head.readUInt32BE(0) === EBML_ID
  if (!isMatroska && head.toString('latin1', 4, 8) !== 'ftyp') {
    throw new MalformedError('upload', `is neither WebM nor MP4; it begins with ${head.toString('hex')}`, 0)
  }
  const samples = isMatroska ? matroskaSamples(bytes, start) : fragmentedMp4Samples(bytes, start)
  for await (const sample of samples) {
    const { size } = sampleSpan(sample)
    if (size > MAX_SAMPLE_BYTES) throw new UnsupportedError(`upload: a frame of ${size} bytes`)
    yield sample
  }
}
