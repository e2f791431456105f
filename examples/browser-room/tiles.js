// Pictures of participants, each with a name.

/** The video of a tile; made where there is none yet. `kind`: self, camera or screen. */
export function tile(of, name, kind = 'camera') {
  const id = `tile ${of} ${name}`
  const known = document.getElementById(id)
  if (known !== null) return known.querySelector('video')
  const figure = document.createElement('figure')
  figure.id = id
  Object.assign(figure.dataset, { of, kind, name })
  const video = document.createElement('video')
  Object.assign(video, { autoplay: true, playsInline: true, muted: kind === 'self' })
  video.addEventListener('loadedmetadata', () => void play(video))
  const text = document.createElement('figcaption')
  text.textContent = name
  figure.append(video, text)
  document.getElementById('tiles').append(figure)
  return video
}

/** Says something instead of a picture. */
export function caption(video, text) {
  const said = document.createElement('p')
  said.className = 'said'
  said.textContent = text
  video.after(said)
}

/** All tiles of somebody, or the one with this name. */
export function removeTiles(of, name) {
  for (const figure of document.querySelectorAll('#tiles figure')) {
    if (figure.dataset.of === of && (name === undefined || figure.dataset.name === name)) figure.remove()
  }
}

/** With sound; a page that nobody has clicked into may only play without. */
async function play(video) {
  try {
    await video.play()
  } catch {
    video.muted = true
    await video.play().catch(() => undefined)
    addEventListener('click', () => (video.muted = false), { once: true })
  }
}
