// A js-libp2p node as anybody would run one: the foreign node of the live tests. It knows nothing of Crosscast.
//
//   node.mjs ADDRESS PORT [DHT]      listens there; DHT is the protocol of its Kademlia, /ipfs/kad/1.0.0 without
//
// Prints one JSON object a line: {addrs, peer} when it listens, and {ev: ...} for what happens. Takes commands, one a
// line: "subscribe TOPIC", "unsubscribe TOPIC", "publish TOPIC HEX", "peers", "quit".

import { createInterface } from 'node:readline'
import { createLibp2p } from 'libp2p'
import { tcp } from '@libp2p/tcp'
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { autoNAT } from '@libp2p/autonat'
import { gossipsub } from '@libp2p/gossipsub'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'

const [address = '127.0.0.1', port = '0', dht = '/ipfs/kad/1.0.0'] = process.argv.slice(2)
const family = address.includes(':') ? 'ip6' : 'ip4'
const say = (what) => console.log(JSON.stringify(what))

const node = await createLibp2p({
  addresses: { listen: [`/${family}/${address}/tcp/${port}`] },
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  // The networks of the tests are private ones, which a public node would neither dial nor name.
  connectionGater: { denyDialMultiaddr: () => false },
  services: {
    identify: identify(),
    ping: ping(),
    autonat: autoNAT(),
    dcutr: dcutr(),
    relay: circuitRelayServer(),
    pubsub: gossipsub({ globalSignaturePolicy: 'StrictSign', allowPublishToZeroTopicPeers: true }),
    dht: kadDHT({ protocol: dht, clientMode: false, peerInfoMapper: passthroughMapper, allowQueryWithZeroPeers: true })
  }
})

const { pubsub } = node.services
node.addEventListener('peer:connect', (event) => say({ ev: 'connect', peer: event.detail.toString() }))
node.addEventListener('peer:disconnect', (event) => say({ ev: 'disconnect', peer: event.detail.toString() }))
node.addEventListener('peer:identify', ({ detail }) => {
  say({ ev: 'identify', peer: detail.peerId.toString(), agent: detail.agentVersion, protocols: detail.protocols })
})
pubsub.addEventListener('message', ({ detail }) => {
  say({ ev: 'message', topic: detail.topic, from: detail.from.toString(), bytes: detail.data.length })
})
pubsub.addEventListener('subscription-change', ({ detail }) => {
  const topics = detail.subscriptions.map(({ topic, subscribe }) => ({ topic, subscribe }))
  say({ ev: 'subscriptions', peer: detail.peerId.toString(), topics })
})

const commands = {
  subscribe: (topic) => pubsub.subscribe(topic),
  unsubscribe: (topic) => pubsub.unsubscribe(topic),
  publish: async (topic, hex) => {
    const { recipients } = await pubsub.publish(topic, Buffer.from(hex, 'hex'))
    say({ ev: 'published', recipients: recipients.length })
  },
  peers: () => say({ ev: 'peers', peers: node.getPeers().map(String) }),
  quit: async () => {
    await node.stop()
    process.exit(0)
  }
}

createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const [word, ...rest] = line.trim().split(' ')
    try {
      await commands[word]?.(...rest)
      say({ ev: 'done', word })
    } catch (error) {
      say({ ev: 'error', word, error: String(error) })
    }
  })
  // Whoever started it is gone.
  .on('close', () => process.exit(0))

say({ addrs: node.getMultiaddrs().map(String), peer: node.peerId.toString() })
