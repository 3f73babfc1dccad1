// A place to drop a file on, or to choose one with.

/** Call `take` with each file that is dropped on `place` or chosen in `input`. */
export function onFile(place, input, take, say) {
  const over = (event) => {
    event.preventDefault();
    place.classList.add("over");
  };
  for (const name of ["dragenter", "dragover"]) place.addEventListener(name, over);
  for (const name of ["dragleave", "dragend"]) place.addEventListener(name, () => place.classList.remove("over"));
  for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    place.classList.remove("over");
    if (event.dataTransfer.files.length > 1) say("Drop one file at a time.");
    else if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  input.addEventListener("change", (event) => {
    if (event.target.files[0]) take(event.target.files[0]);
    event.target.value = "";
  });
}
