// A shop for the tests: it shows a payment window in a frame, and has the pages that its users come back to. Prints its address.
import { createServer } from "node:http";

const frame = (address) => `<iframe title="Payment" width="640" height="750" src="${address.replaceAll('"', "&quot;")}"></iframe>`;

const shop = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  const content = pathname === "/" ? frame(searchParams.get("window")) : "Welcome back.";
  response.setHeader("Content-Type", "text/html; charset=utf-8");
  response.end(`<!doctype html><html lang="en"><title>Shop ${pathname}</title><link rel="icon" href="data:,"><h1>Shop</h1>${content}`);
});
process.stdin.resume().on("end", () => process.exit()); // it ends with the program that started it
shop.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${shop.address().port}`));
