"""The record of a training run: one page of HTML that holds all there is to know about it."""
