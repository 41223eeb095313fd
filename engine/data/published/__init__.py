"""Published image sets, read through torchvision: downloaded, read and split."""
