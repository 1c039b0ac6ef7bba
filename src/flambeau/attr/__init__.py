"""Attribution: which inputs, layers and neurons a prediction comes from. Names and arguments are Captum's."""
