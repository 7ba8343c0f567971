// Talks to the demo's server: JSON over fetch, events over one WebSocket that comes back by itself.

export async function get(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

export async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

export async function upload(path, file) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "content-type": file.type || "application/octet-stream" },
    body: file,
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
}

// `opened` is called at every connection, so that what was missed in between can be read again.
export function listen(path, opened, heard, lost) {
  let pause = 300;
  const connect = () => {
    const socket = new WebSocket(`ws://${location.host}${path}`);
    socket.onopen = () => { pause = 300; opened(); };
    socket.onmessage = (event) => heard(JSON.parse(event.data));
    socket.onclose = () => { lost(); setTimeout(connect, pause); pause = Math.min(pause * 2, 5000); };
  };
  connect();
}
