"""Matrix products: register-tiled micro-kernels, made once for a module and shared by its products."""

from __future__ import annotations

from fanin.compiler.native.product.products import Products
from fanin.compiler.native.product.shape import ProductShape

__all__ = ["ProductShape", "Products"]
