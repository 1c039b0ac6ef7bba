"""Embeddings that are exchanged for the vectors themselves, and references for sequences of words."""

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.attr import (
    InterpretableEmbeddingBase,
    Saliency,
    TokenReferenceBase,
    configure_interpretable_embedding_layer,
    remove_interpretable_embedding_layer,
)
from flambeau.errors import ArgumentTypeError, FailedAssertion, MissingAttribute


class Text(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Embedding(10, 4, padding_idx=0), nn.Tanh())
        self.linear = nn.Linear(4, 2)

    def forward(self, words):
        return self.linear(self.encoder(words).sum(1))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Text()


@pytest.mark.filterwarnings("ignore")
def test_vectors_take_the_place_of_indices(model):
    words = torch.tensor([[1, 2, 3]])
    before, embedding = model(words), model.encoder[0]
    layer = configure_interpretable_embedding_layer(model, "encoder.0")
    assert isinstance(model.encoder[0], InterpretableEmbeddingBase)
    assert (layer.num_embeddings, layer.embedding_dim) == (10, 4)
    vectors = layer.indices_to_embeddings(words)
    assert torch.equal(model(vectors), before)
    assert Saliency(model).attribute(vectors, 1).shape == (1, 3, 4)
    remove_interpretable_embedding_layer(model, layer)
    assert model.encoder[0] is embedding and torch.equal(model(words), before)


def test_it_is_said_that_the_model_changes(model):
    with pytest.warns(UserWarning, match=r"the embedding `encoder.0` is exchanged"):
        configure_interpretable_embedding_layer(model, "encoder.0")
    with pytest.raises(FailedAssertion, match="already been configured"):
        configure_interpretable_embedding_layer(model, "encoder.0")


def test_bad_names(model):
    with pytest.raises(MissingAttribute, match="no module `embedding`.*\n.*encoder.0"):
        configure_interpretable_embedding_layer(model)
    with pytest.raises(ArgumentTypeError, match="not an InterpretableEmbeddingBase"):
        remove_interpretable_embedding_layer(model, model.linear)
    with pytest.raises(FailedAssertion, match="No input arguments"):
        InterpretableEmbeddingBase(model.encoder[0], "encoder.0")()


def test_references():
    assert TokenReferenceBase(7).generate_reference(3, device=torch.device("cpu")).tolist() == [7, 7, 7]
    assert TokenReferenceBase().generate_reference(2).tolist() == [0, 0]
