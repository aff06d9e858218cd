#!/usr/bin/env python3
"""Makes small.gguf and small-big-endian.gguf: a value of each kind and some tensors, as llama.cpp's gguf-py writes them.

needs: pip install gguf numpy
usage: make_small.py FOLDER
"""
import os
import sys

import gguf
import numpy


def write(path, order):
    w = gguf.GGUFWriter(path, "llama", endianess=order)
    w.add_uint8("t.u8", 200)
    w.add_int8("t.i8", -56)
    w.add_uint16("t.u16", 0xFEDC)
    w.add_int16("t.i16", -292)
    w.add_uint32("t.u32", 0xFEDCBA98)
    w.add_int32("t.i32", -19088744)
    w.add_float32("t.f32", 1.5)
    w.add_bool("t.bool", True)
    w.add_uint64("t.u64", 2**64 - 1)
    w.add_int64("t.i64", -1)
    w.add_float64("t.f64", -2.5)
    w.add_string("t.text", "h\u00e9llo")
    w.add_array("t.strings", ["one", "", "three"])
    w.add_array("t.numbers", [-1, 7])
    w.add_array("t.floats", [0.5, -0.25])
    w.add_tensor("f32", numpy.arange(6, dtype=numpy.float32).reshape(2, 3))
    w.add_tensor("f16", numpy.arange(5, dtype=numpy.float16))
    if order == gguf.GGUFEndian.LITTLE:
        x = numpy.linspace(-1, 1, 64, dtype=numpy.float32).reshape(1, 64)
        kind = gguf.GGMLQuantizationType.Q8_0
        w.add_tensor("q8_0", gguf.quants.quantize(x, kind), raw_dtype=kind)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


folder = sys.argv[1]
write(os.path.join(folder, "small.gguf"), gguf.GGUFEndian.LITTLE)
write(os.path.join(folder, "small-big-endian.gguf"), gguf.GGUFEndian.BIG)
