"""Examples on pictures: fine-tuning, VAE, DCGAN."""


def test_resnet_finetune(run):
    pretrained, frozen, tuned, unchanged = run("resnet_finetune", "--epochs", 10)
    assert unchanged
    assert pretrained > 0.8 and frozen > 0.8 and tuned > 0.9


def test_vae(run):
    history, made = run("vae", "--epochs", 4)
    assert history[-1] < history[0] < 45
    assert made.shape == (5, 8, 8) and made.min() >= 0 and made.max() <= 1


def test_dcgan(run):
    history, made = run("dcgan", "--epochs", 2)
    assert all(0 < judge < 3 and 0 < draw < 6 for judge, draw in history)
    assert made.shape == (5, 1, 8, 8) and made.abs().max() <= 1 and made.std() > 0.1
