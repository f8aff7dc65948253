import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { ExpressAdapter } from "@bull-board/express";
import { Queue } from "bullmq";
import express from "express";

export async function createBoard(url, names, prefix) {
  const at = new URL(url);
  const connection = { host: at.hostname, port: Number(at.port), password: decodeURIComponent(at.password), db: Number(at.pathname.slice(1)) };
  const queues = names.map((name) => new Queue(name, { connection, prefix }));
  const adapter = new ExpressAdapter();
  adapter.setBasePath("/admin");
  createBullBoard({ queues: queues.map((queue) => new BullMQAdapter(queue)), serverAdapter: adapter });
  const app = express();
  app.use("/admin", adapter.getRouter());
  const server = await new Promise((resolve) => { const made = app.listen(0, "127.0.0.1", () => resolve(made)); });
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await Promise.all(queues.map((queue) => queue.close()));
  };
  return { server, close };
}
