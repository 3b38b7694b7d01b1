"""The frozen random stream: PyTorch's CPU generator and its draws, word for word and bit for bit, on NumPy arrays."""

from fanin.random.draws import bernoulli as bernoulli
from fanin.random.draws import bernoulli_array as bernoulli_array
from fanin.random.draws import cauchy as cauchy
from fanin.random.draws import exponential as exponential
from fanin.random.draws import geometric as geometric
from fanin.random.draws import poisson as poisson
from fanin.random.gamma import gamma as gamma
from fanin.random.generator import DEFAULT_SEED as DEFAULT_SEED
from fanin.random.generator import Generator as Generator
from fanin.random.memory import axes_in_memory as axes_in_memory
from fanin.random.memory import fill as fill
from fanin.random.memory import like as like
from fanin.random.normals import log_normal as log_normal
from fanin.random.normals import normal as normal
from fanin.random.normals import normal_elementwise as normal_elementwise
from fanin.random.normals import trunc_normal as trunc_normal
from fanin.random.permutation import randperm as randperm
from fanin.random.uniforms import randint as randint
from fanin.random.uniforms import random as random
from fanin.random.uniforms import uniform as uniform
from fanin.random.weighted import multinomial as multinomial
