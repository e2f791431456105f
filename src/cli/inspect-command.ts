import { Command } from 'commander'
import { EXIT, EXIT_CODES_HELP } from './exit-codes.ts'
import { bitrateText, bytesText, countText, plainText, timeText } from './figures.ts'
import { FileSource } from './file-source.ts'
import { type InspectedTrack, type Inspection, inspectFile } from './inspection.ts'
import { ProgressLine } from './progress-line.ts'
import type { KeyframeReport } from './track-survey.ts'

/** `tapedeck inspect <file>`. */
export function inspectCommand(done: (exitCode: number) => void): Command {
  return new Command('inspect')
    .description(
      'Say what is in an MP4, FLV, WebM, Matroska or Ogg file: tracks, codecs, duration, gaps, keyframes, faults',
    )
    .argument('<file>', 'also one that is being recorded, or torn')
    .option('--json', 'one JSON object on standard output')
    .addHelpText(
      'after',
      `
Examples:
  tapedeck inspect recordings/live_test_20261121_140052.123.mp4
  tapedeck inspect --json show.mkv | jq '.tracks[].codecString'

Ends with 3 when the file is not finalised or has faults: "tapedeck repair" mends it.
${EXIT_CODES_HELP}`,
    )
    .action(async (path: string, options: { json?: true }) => {
      const source = await FileSource.open(path)
      const progress = new ProgressLine()
      try {
        const found = await inspectFile(path, source, (doneBytes, totalBytes) =>
          progress.draw(`reading ${bytesText(doneBytes)} of ${bytesText(totalBytes)}`),
        )
        progress.clear()
        process.stdout.write(options.json ? `${JSON.stringify(found, null, 2)}\n` : describeFile(found))
        done(found.finalised && found.faultCount === 0 ? EXIT.ok : EXIT.partly)
      } finally {
        progress.clear()
        await source.close()
      }
    })
}

function describeFile(found: Inspection): string {
  const stated = found.statedDurationMs === null ? 'not stated' : `stated ${timeText(found.statedDurationMs)}`
  const lines = [
    plainText(found.path),
    `  ${found.format}, ${bytesText(found.sizeBytes)}, ${found.finalised ? 'finalised' : 'not finalised'}`,
    `  ${timeText(found.durationMs)} long (${stated}), ${bitrateText(found.bitrateBps)}`,
  ]
  if (found.title !== null) lines.push(`  title: ${plainText(found.title)}`)
  for (const track of found.tracks) lines.push(...describeTrack(track))
  if (found.faultCount > 0) lines.push(`  ${countText(found.faultCount, 'fault')}:`)
  for (const fault of found.faults)
    lines.push(`    at byte ${fault.offset}: ${plainText(fault.message)} (${fault.kind})`)
  return `${lines.join('\n')}\n`
}

function describeTrack(track: InspectedTrack): string[] {
  const facts: string[] = [track.codec]
  if (track.codecString !== null && track.codecString !== track.codec) facts[0] += ` (${track.codecString})`
  if (track.width !== undefined) facts.push(`${track.width}x${track.height}`)
  if (track.frameRate !== undefined) facts.push(`${Number(track.frameRate.toFixed(3))} fps`)
  if (track.sampleRateHz !== undefined)
    facts.push(`${track.sampleRateHz} Hz`, countText(track.channels ?? 0, 'channel'))
  if (track.language !== undefined) facts.push(track.language)
  if (track.label !== undefined) facts.push(`"${plainText(track.label)}"`)
  const lines = [
    `  track ${track.id}: ${track.kind}, ${facts.join(', ')}`,
    `    ${countText(track.samples, 'sample')}, ${bytesText(track.bytes)}, ${bitrateText(track.bitrateBps)}, ` +
      `from ${timeText(track.startMs)}, ${timeText(track.durationMs)} long`,
  ]
  if (track.configurations > 1) lines.push(`    ${track.configurations} configurations`)
  if (track.keyframes !== undefined) lines.push(`    ${describeKeyframes(track.keyframes)}`)
  if (track.gapCount > 0) lines.push(`    ${countText(track.gapCount, 'gap')}:`)
  for (const gap of track.gaps) lines.push(`      at ${timeText(gap.atMs)}: ${timeText(gap.lengthMs)} without media`)
  return lines
}

function describeKeyframes(keyframes: KeyframeReport): string {
  const count = countText(keyframes.count, 'keyframe')
  if (keyframes.intervalMs === null || keyframes.longestMs === null) return count
  return `${count}, every ${keyframes.intervalMs} ms on average, at most ${keyframes.longestMs} ms apart`
}
