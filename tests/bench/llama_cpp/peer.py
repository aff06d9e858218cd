"""What the programs here share: their C parts, built against a build of llama.cpp or of ik_llama.cpp."""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def compiled(name, source, build, out):
    """The path of the program that name.c becomes, in the folder `out`, which is made."""
    os.makedirs(out, exist_ok=True)
    with open(f"{source}/include/llama.h", encoding="utf-8") as f:
        ik = "llama_get_memory" not in f.read()
    program = os.path.join(out, name + ("-ik" if ik else ""))
    # they are in one folder, or beside what they are built of; a wheel has those they need in another one
    folders = sorted({d for d, _, names in os.walk(os.path.abspath(build))
                      if any(n.startswith(("libllama", "libggml")) and ".so" in n for n in names)})
    subprocess.run(["cc", "-O3", "-march=native", "-ffast-math", *(["-DIK"] if ik else []), f"-I{source}/include",
                    f"-I{source}/ggml/include", f"{HERE}/{name}.c", "-o", program, *(f"-L{d}" for d in folders),
                    "-lllama", "-lggml", *([] if ik else ["-lggml-base"]), *(f"-Wl,-rpath,{d}" for d in folders)],
                   check=True)
    return program
