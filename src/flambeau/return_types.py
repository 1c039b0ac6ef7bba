"""The tuples with named fields that operations with several results return, as `torch.return_types`."""

from __future__ import annotations

from .errors import ArgumentTypeError


def _define(name: str, *fields: str):
    """A tuple class with named fields, made from one sequence, that prints as PyTorch's does."""

    def new(cls, values):
        values = tuple(values)
        if len(values) != len(fields):
            raise ArgumentTypeError(
                f"torch.return_types.{name}() takes a {len(fields)}-sequence ({len(values)}-sequence given)",
                why=f"its fields are {', '.join(fields)}",
                fix=f"give {len(fields)} values",
            )
        return tuple.__new__(cls, values)

    def show(self):
        parts = ",\n".join(f"{f}={v!r}" for f, v in zip(fields, self))
        return f"torch.return_types.{name}(\n{parts})"

    def field(i):
        return property(lambda self: tuple.__getitem__(self, i))

    body: dict[str, object] = {f: field(i) for i, f in enumerate(fields)}
    body |= {
        "__new__": new, "__repr__": show, "__slots__": (), "_fields": fields, "__match_args__": fields,
        "n_fields": len(fields), "n_sequence_fields": len(fields), "n_unnamed_fields": 0, "__module__": __name__,
        "__doc__": f"Result of torch.{name}: ({', '.join(fields)}).",
        "__reduce__": lambda self: (type(self), (tuple(self),)),
    }  # fmt: skip
    made = type(name, (tuple,), body)
    globals()[name] = made
    return made


for _name in ("max", "min", "median", "nanmedian", "mode", "kthvalue", "sort", "topk", "cummax", "cummin"):
    _define(_name, "values", "indices")
_define("aminmax", "min", "max")
_define("histogram", "hist", "bin_edges")
_define("histogramdd", "hist", "bin_edges")
_define("frexp", "mantissa", "exponent")
_define("qr", "Q", "R")
_define("svd", "U", "S", "V")
_define("slogdet", "sign", "logabsdet")
_define("geqrf", "a", "tau")
_define("triangular_solve", "solution", "cloned_coefficient")
_define("lu_unpack", "P", "L", "U")
_define("linalg_cholesky_ex", "L", "info")
_define("linalg_eig", "eigenvalues", "eigenvectors")
_define("linalg_eigh", "eigenvalues", "eigenvectors")
_define("linalg_inv_ex", "inverse", "info")
_define("linalg_ldl_factor", "LD", "pivots")
_define("linalg_ldl_factor_ex", "LD", "pivots", "info")
_define("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
_define("linalg_lu", "P", "L", "U")
_define("linalg_lu_factor", "LU", "pivots")
_define("linalg_lu_factor_ex", "LU", "pivots", "info")
_define("linalg_qr", "Q", "R")
_define("linalg_slogdet", "sign", "logabsdet")
_define("linalg_solve_ex", "result", "info")
_define("linalg_svd", "U", "S", "Vh")

all_return_types = [v for v in list(globals().values()) if isinstance(v, type)]
