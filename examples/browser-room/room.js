// Publishes camera and screen to a room, and shows the others. The server: ?server=http://127.0.0.1:8080
const query = new URLSearchParams(location.search)
const url = query.get('server') ?? 'http://127.0.0.1:8080'
const { publish, watch } = await import(`${url}/browser.js`)

const byId = (id) => document.getElementById(id)
const others = new Map()
let publisher
let polling

byId('room').value = query.get('room') ?? 'demo'
byId('name').value = query.get('name') ?? ''
byId('token').value = query.get('token') ?? ''
byId('join').addEventListener('submit', (event) => {
  event.preventDefault()
  join().catch(note)
})
byId('screen').addEventListener('click', () => share().catch(note))
byId('leave').addEventListener('click', () => leave().catch(note))
if (query.has('join')) await join().catch(note)

/** Whom to publish as, or to watch. */
function connection(participant) {
  const token = byId('token').value
  return { url, room: byId('room').value, participant, ...(token === '' ? {} : { token }) }
}

async function join() {
  const name = byId('name').value
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 1280, height: 720 }, audio: true })
  const transport = query.get('transport') ?? 'auto'
  publisher = publish({ ...connection(name), stream, transport })
  publisher.on('state', ({ state, error }) => {
    byId('state').textContent = state
    byId('state').dataset.state = state
    note(error)
  })
  publisher.on('trouble', ({ error }) => note(error))
  byId('state').textContent = publisher.state
  tile(name, `${name} (you)`).srcObject = stream
  for (const id of ['screen', 'leave']) byId(id).hidden = false
  byId('join').hidden = true
  polling = setInterval(() => look(name).catch(note), 1000)
}

/** Who is there, by the API; each newcomer is watched. */
async function look(self) {
  const { room, token } = connection(self)
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(`${url}/api/rooms/${encodeURIComponent(room)}`, { headers })
  note()
  const participants = response.ok ? (await response.json()).participants : []
  const present = participants.filter(({ source }) => source === 'whip').map(({ participant_id }) => participant_id)
  for (const name of present) if (name !== self && !others.has(name)) show(name)
  for (const [name, watcher] of others) {
    if (present.includes(name)) continue
    watcher.stop()
    others.delete(name)
    for (const figure of document.querySelectorAll(`[data-of="${CSS.escape(name)}"]`)) figure.remove()
  }
}

function show(name) {
  const camera = tile(name, name)
  const watcher = watch(connection(name), camera)
  watcher.on('track', ({ track }) => {
    if (track.kind !== 'video' || camera.srcObject.getTracks().includes(track)) return
    // a place that is kept for the screen: it is shown once something comes
    track.addEventListener('unmute', () => {
      tile(name, `${name}'s screen`, track.id).srcObject = new MediaStream([track])
    })
  })
  others.set(name, watcher)
}

async function share() {
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: true })
  const [track] = stream.getVideoTracks()
  await publisher.replaceTrack('screen', track)
  track.addEventListener('ended', () => publisher.replaceTrack('screen', null))
}

async function leave() {
  clearInterval(polling)
  for (const watcher of others.values()) watcher.stop()
  others.clear()
  byId('tiles').replaceChildren()
  for (const id of ['screen', 'leave']) byId(id).hidden = true
  byId('join').hidden = false
  await publisher?.stop()
}

function tile(of, caption, key = of) {
  const id = `tile ${key}`
  const known = document.getElementById(id)
  if (known !== null) return known.querySelector('video')
  const figure = document.createElement('figure')
  figure.id = id
  figure.dataset.of = of
  const video = document.createElement('video')
  Object.assign(video, { autoplay: true, playsInline: true, muted: true })
  const text = document.createElement('figcaption')
  text.textContent = caption
  figure.append(video, text)
  byId('tiles').append(figure)
  return video
}

function note(error) {
  byId('note').textContent = error instanceof Error ? error.message : ''
}
