// The worker document's example: a job from Node's BullMQ.
import { Queue } from "bullmq";

const { url, queue: name, job, data, options, prefix } = JSON.parse(process.argv[2]);
const at = new URL(url);
const connection = { host: at.hostname, port: Number(at.port), password: decodeURIComponent(at.password), db: Number(at.pathname.slice(1)) };
const queue = new Queue(name, { connection, prefix });
const added = await queue.add(job, data, options);
console.log(JSON.stringify({ id: added.id }));
await queue.close();
