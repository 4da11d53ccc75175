// The Runtime API in a loop. AWS's own client for Node is a native addon that does the same and somewhat more.
import http from 'node:http';
import { handler } from './handler.mjs';

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true });
const prefix = '/2018-06-01/runtime/invocation';

const call = (method, path, body) =>
  new Promise((resolve, reject) => {
    const request = http.request({ agent, hostname, port, method, path }, async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() });
    });
    request.on('error', reject);
    request.end(body);
  });

for (;;) {
  const { headers, body } = await call('GET', `${prefix}/next`);
  const id = headers['lambda-runtime-aws-request-id'];
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const context = { awsRequestId: id, getRemainingTimeInMillis: () => deadline - Date.now() };
  try {
    await call('POST', `${prefix}/${id}/response`, JSON.stringify(await handler(JSON.parse(body), context)));
  } catch (error) {
    await call('POST', `${prefix}/${id}/error`, JSON.stringify({ errorMessage: String(error) }));
  }
}
