"""Publishes pictures and sound by WHIP with GStreamer's webrtcbin: libnice, GStreamer's own DTLS, libsrtp and RTP session.

gstreamer-publisher.py URL VIDEO_CODEC AUDIO_CODEC SECONDS RTX PORT KEPT

VIDEO_CODEC is H265 or H264, AUDIO_CODEC L16, PCMA or PCMU. RTX is 1 or 0: whether it can send again what was lost. PORT, not 0, is
where a proxy stands before the server. What goes to the packetizers is kept in KEPT.video (Annex B) and KEPT.audio (samples). At the
end one line of JSON says what was sent.
"""

import json
import re
import sys
import threading
import urllib.parse
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

URL, VIDEO, AUDIO, SECONDS, RTX, PORT, KEPT = sys.argv[1:]
RATE_FPS = 25
KEY_INTERVAL = 60
DEADLINE_S = 30

ENCODERS = {
    "H265": "x265enc speed-preset=ultrafast tune=zerolatency bitrate=400 log-level=error"
    f" key-int-max={KEY_INTERVAL} ! h265parse ! video/x-h265,stream-format=byte-stream,alignment=au"
    " ! rtph265pay name=video-payloader aggregate-mode=zero-latency",
    "H264": f"openh264enc bitrate=400000 rate-control=bitrate gop-size={KEY_INTERVAL} slice-mode=auto"
    " ! h264parse ! video/x-h264,stream-format=byte-stream,alignment=au"
    " ! rtph264pay name=video-payloader aggregate-mode=zero-latency",
    # 20 ms to a packet
    "L16": "audio/x-raw,format=S16BE,rate=48000,channels=1 ! rtpL16pay name=audio-payloader",
    "PCMA": "audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=audio-payloader",
    "PCMU": "audio/x-raw,rate=8000,channels=1 ! mulawenc ! rtppcmupay name=audio-payloader",
}
PIPELINE = f"""
    webrtcbin name=peer bundle-policy=max-bundle latency=0
    videotestsrc name=pictures is-live=true pattern=ball
    ! video/x-raw,format=I420,width=320,height=180,framerate={RATE_FPS}/1
    ! queue ! {ENCODERS[VIDEO]} config-interval=-1 pt=96 mtu=1200 ! queue ! peer.
    audiotestsrc name=sounds is-live=true wave=ticks samplesperbuffer={160 if AUDIO != "L16" else 480}
    ! queue ! {ENCODERS[AUDIO]} pt=97 min-ptime=20000000 max-ptime=20000000 mtu=1400 ! queue ! peer.
"""


def request(method, url, body=None):
    headers = {"content-type": "application/sdp"}
    data = None if body is None else body.encode()
    return urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method))


def promised(element, action, *args):
    promise = Gst.Promise.new()
    element.emit(action, *args, promise)
    promise.wait()
    return promise.get_reply()


class Kept:
    """What goes into one packetizer, as it is."""

    def __init__(self, payloader, path):
        self.file = open(path, "wb")
        self.buffers = 0
        payloader.get_static_pad("sink").add_probe(Gst.PadProbeType.BUFFER, self.buffer)

    def buffer(self, _pad, info):
        buffer = info.get_buffer()
        self.file.write(buffer.extract_dup(0, buffer.get_size()))
        self.buffers += 1
        return Gst.PadProbeReturn.OK


class Publisher:
    def __init__(self):
        self.pipeline = Gst.parse_launch(PIPELINE)
        self.peer = self.pipeline.get_by_name("peer")
        self.ice = self.peer.get_property("ice-agent")  # held: the element does not do so itself
        self.ice.emit("add-local-ip-address", "127.0.0.1")
        self.kept = {
            kind: Kept(self.pipeline.get_by_name(f"{kind}-payloader"), f"{KEPT}.{kind}") for kind in ("video", "audio")
        }
        self.gathered = threading.Event()
        self.negotiable = threading.Event()
        self.connected = threading.Event()
        self.peer.connect("on-negotiation-needed", lambda _: self.negotiable.set())
        self.peer.connect("notify::ice-gathering-state", self.look_at_gathering)
        self.peer.connect("notify::connection-state", self.look_at_connection)

    def look_at_gathering(self, peer, _):
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            self.gathered.set()

    def look_at_connection(self, peer, _):
        if peer.get_property("connection-state") == GstWebRTC.WebRTCPeerConnectionState.CONNECTED:
            self.connected.set()

    def await_(self, what, event):
        if not event.wait(DEADLINE_S):
            raise TimeoutError(what)

    def publish(self):
        """The address of the session."""
        for i in range(2):
            transceiver = self.peer.emit("get-transceiver", i)
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
            transceiver.set_property("do-nack", RTX == "1")
        self.pipeline.set_state(Gst.State.PLAYING)
        self.await_("a reason to negotiate", self.negotiable)
        reply = promised(self.peer, "create-offer", None)  # what is in it lives as long
        promised(self.peer, "set-local-description", reply.get_value("offer"))
        self.await_("its candidates", self.gathered)
        offer = self.peer.get_property("local-description").sdp.as_text()
        if PORT != "0":
            offer = re.sub(r"a=candidate:.*\r\n", "", offer)  # it is to be found by what it sends through the proxy
        response = request("POST", URL, offer)
        answer = response.read().decode()
        if PORT != "0":
            answer = re.sub(r"(a=candidate:\S+ 1 \S+ \d+ )\S+ \d+", rf"\g<1>127.0.0.1 {PORT}", answer)
        _, message = GstSdp.SDPMessage.new_from_text(answer)
        answered = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        promised(self.peer, "set-remote-description", answered)
        self.await_("the connection", self.connected)
        return urllib.parse.urljoin(URL, response.headers["location"])

    def silence(self):
        """Nothing is made any more; what is on its way is sent, and can still be asked for."""
        for name in ("pictures", "sounds"):
            self.pipeline.get_by_name(name).send_event(Gst.Event.new_eos())

    def stats(self):
        """How many frames of each kind were made."""
        sent = {"state": self.peer.get_property("connection-state").value_nick}
        for kind, kept in self.kept.items():
            sent[kind] = kept.buffers
            kept.file.close()
        return sent



def main():
    Gst.init(None)
    loop = GLib.MainLoop()
    threading.Thread(target=loop.run, daemon=True).start()
    publisher = Publisher()
    session = publisher.publish()
    pause = threading.Event()
    pause.wait(float(SECONDS))
    publisher.silence()
    pause.wait(1.5)
    stats = publisher.stats()
    request("DELETE", session)
    publisher.pipeline.set_state(Gst.State.NULL)
    loop.quit()
    print(json.dumps(stats))


main()
