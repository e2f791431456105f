// Publishes camera and screen to a room, and shows the others. The server: ?server=http://127.0.0.1:8080
import { explain } from './explain.js'
import { showRecorded } from './recorded.js'
import { caption, removeTiles, tile } from './tiles.js'

const POLL_MS = 1000
const query = new URLSearchParams(location.search)
const url = query.get('server') ?? 'http://127.0.0.1:8080'
const byId = (id) => document.getElementById(id)
const others = new Map()
let tries = 0
let tapedeck
let publisher
let stream
let shared
let polling

byId('server').textContent = url
for (const id of ['room', 'name', 'token']) byId(id).value ||= query.get(id) ?? ''
byId('room').value ||= 'demo'
byId('join').addEventListener('submit', (event) => {
  event.preventDefault()
  void attempt(join)
})
byId('screen').addEventListener('click', () => void attempt(share))
byId('leave').addEventListener('click', () => void attempt(leave))
for (const [id, kind] of [
  ['microphone', 'audio'],
  ['camera', 'video'],
]) {
  byId(id).addEventListener('click', () => {
    const isOn = byId(id).getAttribute('aria-pressed') !== 'true'
    for (const track of stream?.getTracks() ?? []) if (track.kind === kind) track.enabled = isOn
    byId(id).setAttribute('aria-pressed', String(isOn))
  })
}
await attempt(async () => {
  await load()
  if (query.has('join')) await join()
})

/** Does it, and says what went wrong. */
async function attempt(act) {
  try {
    await act()
  } catch (error) {
    note(error)
  }
}

function note(error) {
  byId('note').textContent = error === undefined ? '' : explain(error, url)
}

/** Whom to publish as, or to watch. */
function connection(participant) {
  const token = byId('token').value.trim()
  return { url, room: byId('room').value, participant, ...(token === '' ? {} : { token }) }
}

/** The module of the server. What could not be loaded is asked for under another address: browsers remember the failure. */
async function load() {
  tapedeck ??= await import(`${url}/browser.js${tries++ === 0 ? '' : `?${tries}`}`)
}

async function join() {
  const name = byId('name').value
  note()
  await load()
  stream = await navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 720 }, audio: true })
  const transport = query.get('transport') ?? 'auto'
  publisher = tapedeck.publish({ ...connection(name), stream, transport })
  publisher.on('state', ({ state, error }) => {
    showState(state)
    note(error)
    if (state === 'failed') void attempt(leave).then(() => note(error))
  })
  publisher.on('trouble', ({ error }) => note(error))
  showState(publisher.state)
  byId('title').textContent = byId('room').value
  tile(name, `${name} (you)`, 'self').srcObject = stream
  for (const id of ['microphone', 'camera']) byId(id).setAttribute('aria-pressed', 'true')
  byId('controls').hidden = false
  for (const id of ['join', 'recorded']) byId(id).hidden = true
  polling = setInterval(() => look(name).catch(() => undefined), POLL_MS)
}

function showState(state) {
  byId('state').textContent = state
  byId('state').dataset.state = state
  document.body.toggleAttribute('data-recorded', state === 'live' || state === 'uploading')
}

/** Who is there, by the API; each newcomer is watched. A server that is away is told of by the publisher. */
async function look(self) {
  if (!document.body.hasAttribute('data-recorded')) return
  const { room, token } = connection(self)
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(`${url}/api/rooms/${encodeURIComponent(room)}`, { headers })
  const participants = response.ok ? (await response.json()).participants : []
  byId('count').textContent = `${participants.length} here`
  const present = new Map(participants.map(({ participant_id, source }) => [participant_id, source]))
  for (const [name, source] of present) if (name !== self && !others.has(name)) show(name, source)
  for (const [name, watcher] of others) {
    if (present.has(name)) continue
    watcher?.stop()
    others.delete(name)
    removeTiles(name)
  }
}

function show(name, source) {
  const camera = tile(name, name)
  if (source !== 'whip') {
    caption(camera, `publishes by ${source}: recorded, but not shown here`)
    others.set(name, undefined)
    return
  }
  const watcher = tapedeck.watch(connection(name), camera)
  watcher.on('state', ({ state, error }) => {
    if (state === 'failed') caption(camera, explain(error, url))
  })
  watcher.on('track', ({ track }) => {
    if (track.kind !== 'video' || camera.srcObject.getTracks().includes(track)) return
    // a place that is kept for the screen: it is shown while something comes
    const key = `${name}'s screen`
    track.addEventListener('unmute', () => {
      tile(name, key, 'screen').srcObject = new MediaStream([track])
    })
    track.addEventListener('mute', () => removeTiles(name, key))
  })
  others.set(name, watcher)
}

async function share() {
  const isShared = byId('screen').getAttribute('aria-pressed') === 'true'
  const track = isShared ? null : (await navigator.mediaDevices.getDisplayMedia({ video: true })).getVideoTracks()[0]
  await publisher.replaceTrack('screen', track)
  byId('screen').setAttribute('aria-pressed', String(!isShared))
  if (isShared) shared?.stop()
  shared = track
  track?.addEventListener('ended', () => void (shared === track && attempt(share)))
}

async function leave() {
  clearInterval(polling)
  for (const watcher of others.values()) watcher?.stop()
  others.clear()
  byId('tiles').replaceChildren()
  byId('controls').hidden = true
  byId('join').hidden = false
  byId('count').textContent = ''
  for (const track of [...(stream?.getTracks() ?? []), ...(shared ? [shared] : [])]) track.stop()
  shared = undefined
  byId('screen').setAttribute('aria-pressed', 'false')
  await publisher?.stop()
  await showRecorded(byId('recorded'), connection(byId('name').value))
}
