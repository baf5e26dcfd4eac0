#!/usr/bin/env node
// Talk to Leadline from Node: send purchases, read alerts, with kafkajs and the schema registry.
//
//   leadline.mjs produce <purchases.jsonl     JSON lines -> purchases
//   leadline.mjs read TOPIC...                topics up to their present end -> JSON lines
//
// The servers come from LEADLINE_KAFKA_BROKERS and LEADLINE_REGISTRY_URL, the tenant's prefix from LEADLINE_TOPIC_PREFIX.
//
// The partitioner is part of Leadline's contract (Java's murmur2 of the key): kafkajs' DefaultPartitioner is that since
// version 2, its LegacyPartitioner is not. Leadline's alerts are compressed with snappy, which kafkajs needs a codec for.
import readline from 'node:readline'
import kafkajs from 'kafkajs'
import snappy from 'kafkajs-snappy'
import { SchemaRegistry } from '@kafkajs/confluent-schema-registry'

const { CompressionCodecs, CompressionTypes, Kafka, Partitioners, logLevel } = kafkajs
CompressionCodecs[CompressionTypes.Snappy] = snappy

const prefix = process.env.LEADLINE_TOPIC_PREFIX ?? ''
const kafka = new Kafka({
  clientId: 'leadline-node-example',
  brokers: (process.env.LEADLINE_KAFKA_BROKERS ?? '127.0.0.1:19092').split(','),
  logLevel: logLevel.ERROR,
})
const registry = new SchemaRegistry({ host: process.env.LEADLINE_REGISTRY_URL ?? 'http://127.0.0.1:18081' })

async function produce() {
  const topic = `${prefix}purchases`
  // The schemas are registered by `leadline topics create`; a client uses the newest and never registers its own.
  const schema = await registry.getLatestSchemaId(`${topic}-value`)
  const messages = []
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const purchase = JSON.parse(line)
    purchase.occurred_at = new Date(purchase.occurred_at).getTime()
    messages.push({ key: purchase.customer_id, value: await registry.encode(schema, purchase) })
  }
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent: true })
  await producer.connect()
  for (let i = 0; i < messages.length; i += 500) await producer.send({ topic, messages: messages.slice(i, i + 500) })
  await producer.disconnect()
  console.error(`${messages.length} purchases sent`)
}

async function read(topics) {
  const left = await ends(topics)
  // kafkajs reads only committed records unless told otherwise: none that was taken back.
  const consumer = kafka.consumer({ groupId: `leadline-node-example-${process.pid}` })
  await consumer.connect()
  await consumer.subscribe({ topics, fromBeginning: true })
  await new Promise((resolve, reject) => {
    if (left.size === 0) resolve()
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
    // The end of a batch counts, not the last message: a transaction's marker has an offset too, but no message.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) => {
      const place = `${topic}/${partition}`
      if (left.has(place) && BigInt(lastOffset) + 1n >= left.get(place)) left.delete(place)
      if (left.size === 0) resolve()
    })
    consumer.run({
      eachMessage: async ({ topic, partition, message }) => {
        const headers = Object.fromEntries(Object.entries(message.headers).map(([name, text]) => [name, text.toString()]))
        const value = await registry.decode(message.value)
        console.log(JSON.stringify({ topic, partition, offset: message.offset, key: message.key.toString(), headers, value }))
      },
    }).catch(reject)
  })
  await consumer.disconnect()
}

// ends maps each partition that holds anything to its end offset.
async function ends(topics) {
  const admin = kafka.admin()
  await admin.connect()
  const map = new Map()
  for (const topic of topics) {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      if (high !== low) map.set(`${topic}/${partition}`, BigInt(high))
    }
  }
  await admin.disconnect()
  return map
}

const [command, ...topics] = process.argv.slice(2)
if (command === 'produce') await produce()
else if (command === 'read' && topics.length > 0) await read(topics.map((topic) => prefix + topic))
else {
  console.error('usage: leadline.mjs produce <purchases.jsonl | leadline.mjs read TOPIC...')
  process.exit(2)
}
