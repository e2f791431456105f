// What a participant's recordings are: to be played, and taken home.

/** Shows the files of this participant's last recording in the room; nothing where they may not be read. */
export async function showRecorded(place, { url, room, participant, token }) {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const ask = async (path, method = 'GET') => {
    const response = await fetch(`${url}/api${path}`, { method, headers })
    return response.ok ? response.json() : undefined
  }
  const { recordings = [] } = (await ask(`/rooms/${encodeURIComponent(room)}/recordings`)) ?? {}
  const recording = recordings.find(({ files }) => files.some(({ participant_id }) => participant_id === participant))
  if (recording === undefined) return
  const own = recording.files.filter((file) => file.participant_id === participant && file.kind === 'source')
  const heading = document.createElement('h2')
  heading.textContent = 'What was recorded of you'
  const articles = await Promise.all(
    own.map(async (file) => {
      const link = await ask(`/recordings/${recording.recording_id}/files/${file.file_id}/link`, 'POST')
      return article(file, link === undefined ? undefined : new URL(link.url, url).href)
    }),
  )
  place.replaceChildren(heading, ...articles)
  place.hidden = false
}

function article(file, href) {
  const whole = document.createElement('article')
  const about = document.createElement('p')
  about.textContent = file.file_name
  if (href !== undefined) {
    const video = document.createElement('video')
    Object.assign(video, { controls: true, preload: 'metadata', src: href })
    const link = document.createElement('a')
    Object.assign(link, { href, textContent: 'download' })
    about.append(' · ', link)
    whole.append(video)
  }
  whole.append(about)
  return whole
}
