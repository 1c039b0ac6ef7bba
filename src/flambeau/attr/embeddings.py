"""Embeddings as inputs: word vectors in the place of word indices, and references for them."""

from __future__ import annotations

import flambeau as torch

from ..errors import ArgumentTypeError, FailedAssertion, MissingAttribute
from ..nn import Module
from ..told import tell

Tensor = torch.Tensor


class InterpretableEmbeddingBase(Module):
    """Takes the place of an embedding, and returns the vectors it is given; `indices_to_embeddings` makes them.

    Arguments:
        embedding: the module it stands for.
        full_name: where in the model it is, such as "encoder.embedding".
    """

    def __init__(self, embedding: Module, full_name: str):
        super().__init__()
        self.num_embeddings = getattr(embedding, "num_embeddings", None)
        self.embedding_dim = getattr(embedding, "embedding_dim", None)
        self.embedding = embedding
        self.full_name = full_name

    def forward(self, *inputs, **kwargs):
        """The first argument, which is a tensor of vectors."""
        given = (*inputs, *kwargs.values())
        if not given:
            raise FailedAssertion(
                "No input arguments are provided to `InterpretableEmbeddingBase`.",
                why="it returns the embedding vectors that it is given",
                fix="call the model with the vectors of `indices_to_embeddings(indices)` in the place of indices",
            )
        return given[0]

    def indices_to_embeddings(self, *input, **kwargs):
        """The vectors of these indices."""
        return self.embedding(*input, **kwargs)


class TokenReferenceBase:
    """Makes references (baselines) for sequences of word indices.

    Arguments:
        reference_token_idx: the index that stands for no word, usually that of the padding. Default: 0.

    >>> from flambeau.attr import TokenReferenceBase
    >>> TokenReferenceBase(1).generate_reference(3, "cpu")
    tensor([1, 1, 1])
    """

    def __init__(self, reference_token_idx: int = 0):
        self.reference_token_idx = reference_token_idx

    def generate_reference(self, sequence_length: int, device="cpu") -> Tensor:
        """The reference index, `sequence_length` times."""
        return torch.tensor([self.reference_token_idx] * sequence_length, device=device)


def configure_interpretable_embedding_layer(
    model: Module, embedding_layer_name: str = "embedding"
) -> InterpretableEmbeddingBase:
    """Exchange an embedding for a module through which word vectors pass, until it is put back.

    Arguments:
        model: the model.
        embedding_layer_name: the embedding's name, such as "encoder.embedding". Default: "embedding".
    Returns the module in its place; `remove_interpretable_embedding_layer` puts the embedding back.

    >>> import flambeau as torch
    >>> from flambeau.attr import configure_interpretable_embedding_layer, remove_interpretable_embedding_layer
    >>> model = torch.nn.Sequential(torch.nn.Embedding(10, 4), torch.nn.Flatten())
    >>> layer = configure_interpretable_embedding_layer(model, "0")
    >>> vectors = layer.indices_to_embeddings(torch.tensor([[1, 2]]))
    >>> model(vectors).shape
    torch.Size([1, 8])
    >>> remove_interpretable_embedding_layer(model, layer)
    >>> model[0]
    Embedding(10, 4)
    """
    parent, name = parent_of(model, embedding_layer_name)
    embedding = getattr(parent, name)
    if isinstance(embedding, InterpretableEmbeddingBase):
        raise FailedAssertion(
            f"InterpretableEmbeddingBase has already been configured for layer {embedding_layer_name}",
            why="the embedding was exchanged before, and not put back",
            fix="call `remove_interpretable_embedding_layer` first",
        )
    tell(
        f"the embedding `{embedding_layer_name}` is exchanged: the model now takes word vectors in the place of "
        "indices, until `remove_interpretable_embedding_layer` puts it back"
    )
    layer = InterpretableEmbeddingBase(embedding, embedding_layer_name)
    setattr(parent, name, layer)
    return layer


def remove_interpretable_embedding_layer(model: Module, interpretable_emb: InterpretableEmbeddingBase) -> None:
    """Put back the embedding that `configure_interpretable_embedding_layer` has exchanged.

    Arguments:
        model: the model.
        interpretable_emb: what that function returned.
    """
    if not isinstance(interpretable_emb, InterpretableEmbeddingBase):
        raise ArgumentTypeError(
            f"interpretable_emb is {type(interpretable_emb).__name__}, not an InterpretableEmbeddingBase",
            why="it remembers the embedding and its place",
            fix="give what `configure_interpretable_embedding_layer` returned",
        )
    parent, name = parent_of(model, interpretable_emb.full_name)
    setattr(parent, name, interpretable_emb.embedding)


def parent_of(model: Module, path: str) -> tuple[Module, str]:
    """The module that holds a part, and the part's own name."""
    above, _, name = path.rpartition(".")
    names = [found for found, _ in model.named_modules()]
    if path not in names:
        raise MissingAttribute(
            f"the model {type(model).__name__} has no module `{path}`",
            why=f"its modules are {', '.join(found for found in names if found)}",
            fix="give the embedding's name as `model.named_modules()` lists it",
        )
    return model.get_submodule(above), name
