// The whole server inside a program of yours, which also publishes a stream of its own: two seconds of a tone, as PCM.
// Meanwhile anybody may publish to it: ffmpeg -re -i in.mp4 -c copy -f flv rtmp://127.0.0.1:…/live/test
//   node examples/embed-the-server.ts ./out
import { join } from 'node:path'
import { describeTrack, Frame, serverSettings, TapedeckServer } from '../src/index.ts' // from 'tapedeck' in a program of yours

const directory = process.argv[2] ?? '.'
const settings = serverSettings({
  rtmp: '127.0.0.1:0', // 0: whichever port is free
  http: 'off',
  recordDir: join(directory, 'recordings'),
  dataDir: join(directory, 'data'),
  recordReport: true,
})

const server = new TapedeckServer(settings)
server.recorder.listen({
  created: (recording, part) => console.log(`${recording.address.room}: recording into ${part.path}`),
  finalised: (part) => console.log(`finished ${part.path}`),
})
const { rtmp } = await server.start()
console.log(`publish to rtmp://${rtmp?.host}:${rtmp?.port}/{room}/{name}`)

const sampleRateHz = 48_000
const track = describeTrack({
  id: 1,
  epoch: 0,
  timescale: sampleRateHz,
  codec: 'pcm-s16le',
  config: new Uint8Array(0),
  sampleRateHz,
  channels: 1,
})
const stream = server.hub.publish({ room: 'studio', participant: 'tone' }, { source: 'embedded' })
stream.track(track)
for (let tick = 0; tick < 2 * sampleRateHz; tick += 960) {
  const samples = Int16Array.from({ length: 960 }, (_, i) => 9000 * Math.sin((tick + i) * 0.0576))
  stream.write(new Frame(track, tick, tick, true, new Uint8Array(samples.buffer)))
}
stream.flush()
stream.end('finished')

await server.stop()
