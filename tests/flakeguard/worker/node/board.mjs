// Bull Board over our queues: prints what its API answers about them and one job.
import { createBoard } from "./board_app.mjs";

const { url, queues, prefix, job } = JSON.parse(process.argv[2]);
const { server, close } = await createBoard(url, queues, prefix);
const base = `http://127.0.0.1:${server.address().port}/admin`;
const page = await (await fetch(base)).text();
const listed = await (await fetch(`${base}/api/queues?activeQueue=${job.queue}&page=1&jobsPerPage=10`)).json();
const one = await (await fetch(`${base}/api/queues/${job.queue}/${job.id}`)).json();
console.log(JSON.stringify({ page: page.includes("Bull"), queues: listed.queues, job: one.job }));
await close();
