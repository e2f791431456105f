import { FaultList } from '../../container/fault-list.ts'
import { ClusterScanner } from '../../container/matroska/cluster-scanner.ts'
import { readHeader } from '../../container/matroska/header.ts'
import { sampleMakers, segmentEnd } from '../../container/matroska/reader.ts'
import { MalformedError } from '../../media/errors.ts'
import type { DemuxStart, UploadSample } from './demux-start.ts'
import { type GrowingBytes, GrowingWindow } from './growing-bytes.ts'

/** WebM and Matroska while they come: Clusters may be of unknown size (RFC 9559 §25.3). @throws MalformedError, LimitError */
export async function* matroskaSamples(bytes: GrowingBytes, start: DemuxStart): AsyncGenerator<UploadSample> {
  const faults = new FaultList()
  const window = new GrowingWindow(bytes)
  const header = await readHeader(window, faults)
  const { bodyOffset } = header
  if (bodyOffset === undefined) return
  const makers = sampleMakers(header)
  if (makers.size === 0) throw new MalformedError('upload', 'no track of it can be read')
  start.onHeader(bodyOffset)
  const from = Math.max(bodyOffset, start.unitOffset)
  const scanner = new ClusterScanner(window, from, segmentEnd(header), faults)
  while (await scanner.next()) {
    const { block } = scanner
    const maker = makers.get(block.trackNumber)
    if (maker === undefined) continue
    const unitOffset = block.clusterOffset
    for (const sample of await maker.all(block, window, faults)) yield { ...sample, unitOffset }
  }
}
