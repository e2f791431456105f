import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { isUdpPortTaken } from '../../src/server/udp-port.ts'

it('tells whether a UDP port is taken, and leaves it free', async () => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  expect(await isUdpPortTaken(port, '127.0.0.1')).toBe(true)
  socket.close()
  await once(socket, 'close')
  expect(await isUdpPortTaken(port, '127.0.0.1')).toBe(false)
  expect(await isUdpPortTaken(port, '127.0.0.1')).toBe(false)
  expect(await isUdpPortTaken(port, '192.0.2.1')).toBe(false) // not of this machine: something else will say so
})
