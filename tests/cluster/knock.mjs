// Which of these addresses take a connection from here, within half a second?
//   node knock.mjs HOST:PORT ...     prints them, one a line
import { connect } from "node:net";

const opens = (address) =>
  new Promise((resolve) => {
    const [host, port] = address.split(":");
    const socket = connect({ host, port: Number(port) });
    const end = (open) => resolve(socket.destroy() && open);
    socket
      .setTimeout(500, () => end(false))
      .on("connect", () => end(true))
      .on("error", () => end(false));
  });

const addresses = process.argv.slice(2);
const open = await Promise.all(addresses.map(opens));
for (const address of addresses.filter((_, i) => open[i])) console.log(address);
process.exit(0);
