"""What the programs here share: their C parts, built against a build of llama.cpp."""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def compiled(name, source, build, out):
    """The path of the program that name.c becomes, in the folder `out`, which is made."""
    os.makedirs(out, exist_ok=True)
    program = os.path.join(out, name)
    libraries = os.path.join(os.path.abspath(build), "bin")
    subprocess.run(["cc", "-O2", f"-I{source}/include", f"-I{source}/ggml/include", f"{HERE}/{name}.c", "-o", program,
                    f"-L{libraries}", "-lllama", "-lggml", "-lggml-base", f"-Wl,-rpath,{libraries}"], check=True)
    return program
