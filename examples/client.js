// botod from Node. Start `botod demo --keep`, export its BOTOD_SOCKET, then: node client.js
const net = require("net");
const { buffer } = require("stream/consumers");

/** Gives [result, bytes]; {$bytes: 0} in params or result stands for the first of the bytes. */
async function botod(method, params = {}, ...bytes) {
  const request = { jsonrpc: "2.0", id: 1, method, params, bytes: bytes.map((piece) => piece.length) };
  const socket = net.connect(process.env.BOTOD_SOCKET || "/run/botod/botod.sock");
  socket.end(Buffer.concat([Buffer.from(JSON.stringify(request) + "\n"), ...bytes]));
  const came = await buffer(socket);
  let at = came.indexOf("\n") + 1;
  const answer = at ? JSON.parse(came.subarray(0, at)) : { error: { message: "botod hung up" } };
  if (answer.error) throw Object.assign(new Error(), answer.error);
  const pieces = (answer.bytes || []).map((size) => came.subarray(at, (at += size)));
  if (at > came.length) throw new Error("botod hung up");
  return [answer.result, pieces];
}

(async () => {
  const object = { Bucket: "demo-bucket", Key: "from Node" };
  const queue = { QueueUrl: "http://sqs/123456789012/demo-queue" };
  await botod("s3.put_object", { ...object, Body: { $bytes: 0 } }, Buffer.from([...Array(256).keys()]));
  const [result, bytes] = await botod("s3.get_object", object);
  await botod("sqs.send_message", { ...queue, MessageBody: "hello from Node" });
  const [received] = await botod("sqs.receive_message", { ...queue, WaitTimeSeconds: 5 });
  console.log(received.Messages[0].Body);
  await botod("s3.get_object", { Bucket: "demo-bucket", Key: "none" })
    .catch((error) => console.log(error.code, error.message));
  process.stdout.write(bytes[result.Body.$bytes]);
})();
