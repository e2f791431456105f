"""Publishes pictures and sound by WHIP with aiortc: ICE, DTLS and RTP that are neither a browser's nor libdatachannel's.

aiortc-publisher.py URL VIDEO_CODEC AUDIO_CODEC SECONDS RTX PORT

RTX is 1 or 0: without, lost packets are sent again on their own stream. PORT, not 0, is where a proxy stands before the server.
At the end one line of JSON says what was sent.
"""

import asyncio
import json
import re
import sys
import urllib.parse
import urllib.request

import aioice.ice
import numpy
from aiortc import RTCPeerConnection, RTCRtpSender, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import AudioStreamTrack
from av import VideoFrame

URL, VIDEO, AUDIO, SECONDS, RTX, PORT = sys.argv[1:]
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class Pictures(VideoStreamTrack):
    frames = 0
    stripes = numpy.tile(numpy.arange(320, dtype=numpy.uint8)[None, :, None], (180, 1, 3))

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = VideoFrame.from_ndarray(numpy.roll(self.stripes, self.frames * 4, axis=1), format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        self.frames += 1
        return frame


def request(method, url, body=None):
    headers = {"content-type": "application/sdp"}
    data = None if body is None else body.encode()
    return urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method))


def codecs(kind, name):
    found = RTCRtpSender.getCapabilities(kind).codecs
    wanted = [codec for codec in found if codec.mimeType.lower() == f"{kind}/{name}".lower()]
    return wanted + ([codec for codec in found if codec.mimeType.endswith("/rtx")] if RTX == "1" else [])


async def main():
    peer = RTCPeerConnection()
    pictures = Pictures()
    video = peer.addTransceiver(pictures, direction="sendonly")
    audio = peer.addTransceiver(AudioStreamTrack(), direction="sendonly")
    video.setCodecPreferences(codecs("video", VIDEO))
    audio.setCodecPreferences([codec for codec in codecs("audio", AUDIO) if not codec.mimeType.endswith("/rtx")])
    await peer.setLocalDescription(await peer.createOffer())
    offer = peer.localDescription.sdp
    if PORT != "0":
        offer = re.sub(r"a=candidate:.*\r\n", "", offer)  # it is to be found by what it sends through the proxy
    response = await asyncio.to_thread(request, "POST", URL, offer)
    answer = response.read().decode()
    if PORT != "0":
        answer = re.sub(r"(a=candidate:\S+ 1 \S+ \d+ )\S+ \d+", rf"\g<1>127.0.0.1 {PORT}", answer)
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.sleep(float(SECONDS))
    audio.sender.track.stop()
    pictures.stop()
    await asyncio.sleep(1.5)  # what was lost is asked for and sent again
    stats = {"frames": pictures.frames, "state": peer.connectionState}
    for kind, sender in (("video", video.sender), ("audio", audio.sender)):
        for report in (await sender.getStats()).values():
            if report.type == "outbound-rtp":
                stats[kind] = report.packetsSent
    location = urllib.parse.urljoin(URL, response.headers["location"])
    await asyncio.to_thread(request, "DELETE", location)
    await peer.close()
    print(json.dumps(stats))


asyncio.run(main())
