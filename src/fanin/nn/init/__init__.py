"""How weights start, under torch.nn.init's names, and what PyTorch lacks: LeCun's, variance scaling and LSUV."""

from fanin._core.missing import refuse
from fanin.nn.init.data_dependent import LsuvLayer as LsuvLayer
from fanin.nn.init.data_dependent import LsuvReport as LsuvReport
from fanin.nn.init.data_dependent import lsuv_ as lsuv_
from fanin.nn.init.fans import calculate_gain as calculate_gain
from fanin.nn.init.fans import fan_of as _calculate_correct_fan
from fanin.nn.init.fans import fans_of as _calculate_fan_in_and_fan_out
from fanin.nn.init.filling import constant_ as constant_
from fanin.nn.init.filling import dirac_ as dirac_
from fanin.nn.init.filling import eye_ as eye_
from fanin.nn.init.filling import normal_ as normal_
from fanin.nn.init.filling import ones_ as ones_
from fanin.nn.init.filling import trunc_normal_ as trunc_normal_
from fanin.nn.init.filling import uniform_ as uniform_
from fanin.nn.init.filling import zeros_ as zeros_
from fanin.nn.init.old_names import constant as constant
from fanin.nn.init.old_names import dirac as dirac
from fanin.nn.init.old_names import eye as eye
from fanin.nn.init.old_names import kaiming_normal as kaiming_normal
from fanin.nn.init.old_names import kaiming_uniform as kaiming_uniform
from fanin.nn.init.old_names import normal as normal
from fanin.nn.init.old_names import orthogonal as orthogonal
from fanin.nn.init.old_names import sparse as sparse
from fanin.nn.init.old_names import uniform as uniform
from fanin.nn.init.old_names import xavier_normal as xavier_normal
from fanin.nn.init.old_names import xavier_uniform as xavier_uniform
from fanin.nn.init.structured import orthogonal_ as orthogonal_
from fanin.nn.init.structured import sparse_ as sparse_
from fanin.nn.init.variance import kaiming_normal_ as kaiming_normal_
from fanin.nn.init.variance import kaiming_uniform_ as kaiming_uniform_
from fanin.nn.init.variance import lecun_normal_ as lecun_normal_
from fanin.nn.init.variance import lecun_uniform_ as lecun_uniform_
from fanin.nn.init.variance import variance_scaling_ as variance_scaling_
from fanin.nn.init.variance import xavier_normal_ as xavier_normal_
from fanin.nn.init.variance import xavier_uniform_ as xavier_uniform_

__getattr__ = refuse("torch.nn.init")
