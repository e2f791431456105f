import { JobRig } from './job-rig.ts'

/** A process that does one rendition and says how far it is: `node job-process.ts {directory} {source} {output} {bitrate}`. */
const [directory = '', source = '', output = '', bitrate = '0'] = process.argv.slice(2)
const rig = new JobRig({ directory })
const timer = setInterval(() => {
  const percent = rig.reports.at(-1)?.percent
  if (percent !== undefined) process.stdout.write(`${percent}\n`)
}, 20)
await rig.rendition(source, output, { video_bitrate: Number(bitrate) })
clearInterval(timer)
process.stdout.write('done\n')
