"""Weft: language models as static tensor graphs, on the CPU or any GPU through Vulkan.

>>> import weft
>>> model = weft.Model(TINY)
>>> session = model.session("cpu")
>>> for token in session.generate("Once upon a time", max_tokens=6):
...     print(token.text, end="")
, there was a little girl

``weft.Graph`` builds graphs, ``weft.Program`` runs and profiles them, ``weft.AutoModelForCausalLM`` is what
transformers' users know. docs/python.md leads through all of it.
"""

from . import _lib
from ._lib import Progress
from .auto import AutoModelForCausalLM, AutoTokenizer, CausalLM, CausalLMOutput, PretrainedTokenizer
from .batch import WANTS, Rows
from .chat import ChatTemplate
from .definition import Config, Definition, ModelInputs
from .device import Device, DeviceInfo, Roof, devices
from .errors import (
    CancelledError,
    DeviceLostError,
    FileError,
    FormatError,
    InternalError,
    InvalidError,
    LimitError,
    NotFiniteError,
    NotFoundError,
    OutOfMemoryError,
    ShapeError,
    UnsupportedError,
    WeftError,
)
from .generation import Generation, Token
from .grammar import Grammar
from .graph import Graph, Node
from .model import Model, Setting
from .profile import Profile, ProfileNode
from .program import Memory, Port, Program
from .sampling import Sampler, Sampling, logprobs
from .session import Session, SessionPlan
from .tokenizer import Tokenizer, TokenStream
from .value import Extent, Value
from .weights import Checkpoint, Tensor, Weights

__version__ = _lib.string(_lib.lib.weft_version())

__all__ = [
    "AutoModelForCausalLM",
    "AutoTokenizer",
    "CancelledError",
    "CausalLM",
    "CausalLMOutput",
    "ChatTemplate",
    "Checkpoint",
    "Config",
    "Definition",
    "Device",
    "DeviceInfo",
    "DeviceLostError",
    "Extent",
    "FileError",
    "FormatError",
    "Generation",
    "Grammar",
    "Graph",
    "InternalError",
    "InvalidError",
    "LimitError",
    "Memory",
    "Model",
    "ModelInputs",
    "Node",
    "NotFiniteError",
    "NotFoundError",
    "OutOfMemoryError",
    "Port",
    "PretrainedTokenizer",
    "Profile",
    "ProfileNode",
    "Program",
    "Progress",
    "Roof",
    "Rows",
    "Sampler",
    "Sampling",
    "Session",
    "SessionPlan",
    "Setting",
    "ShapeError",
    "Tensor",
    "Token",
    "TokenStream",
    "Tokenizer",
    "UnsupportedError",
    "Value",
    "WANTS",
    "WeftError",
    "Weights",
    "__version__",
    "devices",
    "logprobs",
]
